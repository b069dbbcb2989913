"""The table of commands. Each is named by its module and imported only when it runs, so `--help` stays quick."""

import cyclopts

from modelkeel.version import __version__

app = cyclopts.App(
    name="modelkeel",
    version=__version__,
    help="The whole life of a machine-learning model in one place.",
    help_epilogue="Start with `modelkeel up`, or see everything at once with `modelkeel demo`.",
)
app.command("modelkeel.cli.up:up")
app.command("modelkeel.cli.up:down")
app.command("modelkeel.cli.login:login")
app.command("modelkeel.cli.run:run")
app.command("modelkeel.cli.run:runs")
app.command("modelkeel.cli.reproduce:reproduce")
app.command("modelkeel.cli.deploy:deploy")
app.command("modelkeel.cli.deploy:endpoints")
app.command("modelkeel.cli.deploy:rollback")
app.command("modelkeel.cli.deploy:rollout")
app.command("modelkeel.cli.promote:promote")
app.command("modelkeel.cli.approve:approve")
app.command("modelkeel.cli.approve:reject")
app.command("modelkeel.cli.approve:approvals")
app.command("modelkeel.cli.approve:standing_approval", name="standing-approval")
app.command("modelkeel.cli.policy:apply")
app.command("modelkeel.cli.trace:trace")
app.command("modelkeel.cli.trace:served")
app.command("modelkeel.cli.costs:costs")
app.command("modelkeel.cli.users:users")
app.command("modelkeel.cli.users:token")
app.command("modelkeel.cli.audit:audit")
app.command("modelkeel.cli.watch:watch")
app.command("modelkeel.cli.predictions:predictions", name="predictions")
app.command("modelkeel.cli.demo.command:demo")
app.command("modelkeel.cli.doctor:doctor")
