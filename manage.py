#!/usr/bin/env python
"""Django's command line, with the embedded servers running for the commands that use them."""

import sys

from recsite.local import command_line

if __name__ == "__main__":
    command_line.main(sys.argv)
