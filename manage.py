#!/usr/bin/env python
"""Django's command line, with the embedded servers running for the commands that use them."""

import sys

from recsite import local

if __name__ == "__main__":
    local.main(sys.argv)
