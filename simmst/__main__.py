"""``python -m simmst`` and the command `simmst`; without the extra they say in one line what to install."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from simmst.cli.main import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in ("simmst", "cutplane"):
            raise
        if sys.argv[1:] == ["doctor"]:  # what it is for
            from simmst.cli.doctor import doctor

            return doctor()
        from cutplane._install import install_command

        sys.stderr.write(f"simmst: error: {error.name} is missing; install by: {install_command('simmst')}\n")
        raise SystemExit(2) from None
    run()


if __name__ == "__main__":
    main()
