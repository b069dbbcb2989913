import { Route, Switch, useLocation } from "wouter";
import { Alert } from "../pages/Alert";
import { Alerts } from "../pages/Alerts";
import { Approval } from "../pages/Approval";
import { Approvals } from "../pages/Approvals";
import { Compare } from "../pages/Compare";
import { Costs } from "../pages/Costs";
import { Dataset } from "../pages/Dataset";
import { Datasets } from "../pages/Datasets";
import { Endpoint } from "../pages/Endpoint";
import { Endpoints } from "../pages/Endpoints";
import { Experiments } from "../pages/Experiments";
import { Home } from "../pages/Home";
import { Incident } from "../pages/Incident";
import { Ledger } from "../pages/Ledger";
import { LedgerEntry } from "../pages/LedgerEntry";
import { Members } from "../pages/Members";
import { Model } from "../pages/Model";
import { ModelVersion } from "../pages/ModelVersion";
import { Models } from "../pages/Models";
import { NotThere } from "../pages/NotThere";
import { PipelineRun } from "../pages/PipelineRun";
import { Pipelines } from "../pages/Pipelines";
import { Run } from "../pages/Run";
import { Runs } from "../pages/Runs";
import { SignIn } from "../pages/SignIn";
import { Tokens } from "../pages/Tokens";
import { Trace } from "../pages/Trace";
import { Boundary } from "./Boundary";
import { useSession } from "./session";
import { Shell } from "./Shell";

export function App() {
  const [path] = useLocation();
  const session = useSession();
  if (session.signIn || path === "/login") return <SignIn key={session.turn} />;
  return (
    <Shell key={session.turn}>
      <Boundary key={path}>
        <Switch>
          <Route path="/" component={Home} />
          <Route path="/experiments" component={Experiments} />
          <Route path="/experiments/:id">{({ id }) => <Runs key={id} experiment={id} />}</Route>
          <Route path="/runs/:id">{({ id }) => <Run key={id} id={id} />}</Route>
          <Route path="/compare" component={Compare} />
          <Route path="/pipelines" component={Pipelines} />
          <Route path="/pipelines/:id">{({ id }) => <PipelineRun key={id} id={id} />}</Route>
          <Route path="/datasets" component={Datasets} />
          <Route path="/datasets/:name">{({ name }) => <Dataset key={name} name={decodeURIComponent(name)} />}</Route>
          <Route path="/models" component={Models} />
          <Route path="/models/:name">{({ name }) => <Model key={name} name={decodeURIComponent(name)} />}</Route>
          <Route path="/models/:name/:version">{({ name, version }) => <ModelVersion key={`${name}/${version}`} name={decodeURIComponent(name)} version={version} />}</Route>
          <Route path="/endpoints" component={Endpoints} />
          <Route path="/endpoints/:name">{({ name }) => <Endpoint key={name} name={decodeURIComponent(name)} />}</Route>
          <Route path="/alerts" component={Alerts} />
          <Route path="/alerts/incidents/:id">{({ id }) => <Incident key={id} id={id} />}</Route>
          <Route path="/alerts/:id">{({ id }) => <Alert key={id} id={id} />}</Route>
          <Route path="/approvals" component={Approvals} />
          <Route path="/approvals/:id">{({ id }) => <Approval key={id} id={id} />}</Route>
          <Route path="/predictions">
            <Trace />
          </Route>
          <Route path="/predictions/:id">{({ id }) => <Trace key={id} id={decodeURIComponent(id)} />}</Route>
          <Route path="/ledger" component={Ledger} />
          <Route path="/ledger/:index">{({ index }) => <LedgerEntry key={index} index={Number(index)} />}</Route>
          <Route path="/costs" component={Costs} />
          <Route path="/members" component={Members} />
          <Route path="/tokens" component={Tokens} />
          <Route component={NotThere} />
        </Switch>
      </Boundary>
    </Shell>
  );
}
