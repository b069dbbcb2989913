"""The table of commands. Each is named by its module and imported only when it runs, so `--help` stays quick."""

import sys

import cyclopts

from modelkeel.version import __version__

_COMMANDS = (
    # name, where it is, what the list of commands says of it
    ("up", "up:up", "Start the server."),
    ("down", "up:down", "Stop the server of a home, and its prediction processes."),
    ("login", "login:login", "Show which server commands talk to, and who it takes you for."),
    ("run", "run:run", "Run a pipeline."),
    ("dataset", "dataset:dataset", "Named data with versions."),
    ("sweep", "sweep:sweep", "Try a pipeline or a function with many values, and look for the best."),
    ("runs", "runs:runs", "List pipeline runs."),
    ("logs", "runs:logs", "Show what the steps of a run printed."),
    ("cancel", "runs:cancel", "Cancel a run."),
    ("step", "runs:step", "Answer steps that wait for a person."),
    ("reproduce", "reproduce:reproduce", "Rerun an old run and prove whether the result is the same."),
    ("deploy", "deploy:deploy", "Deploy a registered model version to an endpoint."),
    ("endpoints", "deploy:endpoints", "List endpoints."),
    ("rollback", "deploy:rollback", "Give all traffic back to the revision that had it before."),
    ("rollout", "deploy:rollout", "Look at, or end, the rollout under way at an endpoint."),
    ("promote", "promote:promote", "Ask for a model version to take a protected alias."),
    ("approve", "approve:approve", "Approve a promotion."),
    ("reject", "approve:reject", "Reject a promotion."),
    ("approvals", "approve:approvals", "List promotions that wait for approval."),
    ("standing-approval", "approve:standing_approval", "Approve in advance what the server retrains."),
    ("trigger", "trigger:trigger", "What starts pipelines: a clock, the ledger, new data, a signed call."),
    ("apply", "policy:apply", "Put the gates, rollouts, monitors, triggers and prices of a project in force."),
    ("trace", "trace:trace", "Show what and who stands behind a prediction or a version."),
    ("served", "trace:served", "Show what served at a time."),
    ("costs", "costs:costs", "Show what the workspace has cost."),
    ("users", "users:users", "People and service accounts of the workspace."),
    ("token", "token:token", "API tokens."),
    ("workspaces", "workspaces:workspaces", "Workspaces, each with its own roles."),
    ("keys", "keys:keys", "Keys that open one endpoint's prediction address."),
    ("grant", "grants:grant", "Grant permissions on one experiment, model or endpoint."),
    ("deny", "grants:deny", "Deny them."),
    ("grants", "grants:grants", "List grants and denials."),
    ("groups", "grants:groups", "Groups of the workspace."),
    ("import", "importing:importing", "Bring over what an MLflow holds."),
    ("export", "exporting:exporting", "Write what the server holds for a stock MLflow."),
    ("sync", "sync:sync", "Bring two Modelkeels together."),
    ("audit", "audit:audit", "Read, export and verify the ledger."),
    ("gc", "gc:gc", "Remove for good what was deleted, and content that nothing needs."),
    ("hold", "gc:hold", "Legal holds: what is never removed for good."),
    ("webhooks", "webhooks:webhooks", "Addresses that hear of events, and what became of each delivery."),
    ("watch", "watch:watch", "Show how an endpoint's model does."),
    ("predictions", "predictions:predictions", "Look into the prediction log."),
    ("demo", "demo.command:demo", "Live one model's whole life on a year of real flights."),
    ("doctor", "doctor:doctor", "Check the installation and say what to mend."),
)
_LISTING = sys.argv[1:] in ([], ["--help"], ["-h"])
"""Whether the list of commands is wanted; a command's own help comes from its docstring, which its line would hide."""

app = cyclopts.App(
    name="modelkeel",
    version=__version__,
    help_format="plaintext",  # markdown would cost 60 ms of imports
    help="The whole life of a machine-learning model in one place.",
    help_epilogue="Start with `modelkeel up`, or see everything at once with `modelkeel demo`.",
)
for _name, _place, _line in _COMMANDS:
    app.command(f"modelkeel.cli.{_place}", name=_name, help=_line if _LISTING else None)
