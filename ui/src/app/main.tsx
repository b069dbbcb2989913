import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "uplot/dist/uPlot.min.css";
import "../styles/tokens.css";
import "../styles/base.css";
import "../styles/shell.css";
import "../styles/parts.css";
import "../styles/tables.css";
import "../styles/charts.css";
import "../styles/signin.css";
import { queries } from "../api/client";
import { watchOtherTabs } from "./anew";
import { App } from "./App";
import { applyTheme } from "./theme";

applyTheme();
watchOtherTabs();
const root = document.getElementById("root");
if (!root) throw new Error("the page has no root element");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
