"""The command `modelkeel`: one file a command group, loaded when it is called."""

import sys

from modelkeel.cli.root import app


def main() -> None:
    """Runs the command line; our own errors become one clear line and exit status 1."""
    from modelkeel.core.errors import KeelError

    try:
        app()
    except KeelError as error:
        from rich.console import Console
        from rich.markup import escape

        console = Console(stderr=True)
        console.print(f"[bold red]error[/] {escape(error.message)}", highlight=False)
        for reason in getattr(error, "reasons", ()):
            console.print(f"  [red]·[/] {escape(reason)}", highlight=False)
        if error.hint:
            console.print(f"[dim]{escape(error.hint)}[/]", highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


__all__ = ["app", "main"]
