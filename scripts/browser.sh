#!/bin/sh
# Install Chromium, and a font for Japanese, for the tests that drive a browser. Where that is not possible, say so:
# those tests are then skipped.
command -v chromium >/dev/null && exit 0
if [ "$(id -u)" = 0 ]; then sudo=; else sudo="sudo -n"; fi
if ! command -v apt-get >/dev/null || ! $sudo true 2>/dev/null; then
    echo "  Browser: no chromium on PATH, and no right to install it with apt: the browser tests are skipped."
    exit 0
fi
echo "  Browser: installing chromium and fonts with apt, which takes some minutes …"
mkdir -p var/log
export DEBIAN_FRONTEND=noninteractive
if $sudo apt-get update -qq >var/log/apt.log 2>&1 </dev/null &&
    $sudo apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk fonts-liberation \
        >>var/log/apt.log 2>&1 </dev/null && command -v chromium >/dev/null; then
    echo "✓ Browser      $(chromium --version 2>/dev/null)"
else
    echo "  Browser: apt could not install chromium (see var/log/apt.log): the browser tests are skipped."
fi
