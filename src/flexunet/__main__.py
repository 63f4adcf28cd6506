"""`python -m flexunet` is the `flexunet` command."""

from flexunet.cli import main

if __name__ == "__main__":
    main()
