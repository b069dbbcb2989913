import { defineConfig } from "vite";
import { notices } from "./notices.ts";

// The server's address while developing: `npm run dev` proxies the API to it.
const server = process.env.MODELKEEL_URL ?? "http://127.0.0.1:5757";

export default defineConfig({
  base: "/",
  build: {
    outDir: "../src/modelkeel/web/static",
    emptyOutDir: true,
    assetsInlineLimit: 0, // the page's policy allows no data: addresses
    chunkSizeWarningLimit: 900,
    modulePreload: { polyfill: false }, // the polyfill would be an inline script
  },
  plugins: [notices()],
  server: { proxy: { "/api": server, "/health": server } },
});
