// A real OpenID Connect provider for tests: `node provider.mjs PORT REDIRECT_URI`. Anybody signs in with any name; the
// test says by `GET /test/groups?name=vera&groups=ml-team,risk` in which groups they are.
import Provider from "oidc-provider";

const [port, redirect] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const groups = new Map();
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "modelkeel",
      client_secret: "a secret of the test",
      redirect_uris: [redirect],
      grant_types: ["authorization_code"],
      response_types: ["code"],
    },
  ],
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
  pkce: { required: () => true },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id, groups: groups.get(id) ?? [] }) }),
  cookies: { keys: ["a key of the test"] },
  features: { devInteractions: { enabled: true } },
});
provider.use(async (context, next) => {
  if (context.path !== "/test/groups") return next();
  groups.set(context.query.name, context.query.groups.split(","));
  context.status = 204;
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
