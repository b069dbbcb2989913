import { Route, Switch } from "wouter";
import { Home } from "../pages/Home";
import { LedgerEntry } from "../pages/LedgerEntry";
import { Ledger } from "../pages/Ledger";
import { NotThere } from "../pages/NotThere";
import { Boundary } from "./Boundary";
import { Shell } from "./Shell";

export function App() {
  return (
    <Shell>
      <Boundary>
        <Switch>
          <Route path="/" component={Home} />
          <Route path="/ledger" component={Ledger} />
          <Route path="/ledger/:index">{({ index }) => <LedgerEntry key={index} index={Number(index)} />}</Route>
          <Route component={NotThere} />
        </Switch>
      </Boundary>
    </Shell>
  );
}
