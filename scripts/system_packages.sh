#!/bin/sh
# Install what a window needs from the system, where it is missing and where we may; else print the line to run.
#   system_packages.sh window            what Qt and OpenGL load, and Xvfb where there is no screen
#   system_packages.sh package NAME ...  packages by name
set -eu

missing=""
want() { missing="$missing $1"; }

libraries() {
    known=$(/sbin/ldconfig -p 2>/dev/null || ldconfig -p 2>/dev/null || true)
    while read -r library package; do
        case "$known" in *"$library"*) ;; *) want "$package" ;; esac
    done <<'END'
libEGL.so.1 libegl1
libGL.so.1 libgl1
libdbus-1.so.3 libdbus-1-3
libfontconfig.so.1 libfontconfig1
libglib-2.0.so.0 libglib2.0-0
libstdc++.so.6 libstdc++6
libX11-xcb.so.1 libx11-xcb1
libxkbcommon-x11.so.0 libxkbcommon-x11-0
libxcb-cursor.so.0 libxcb-cursor0
libxcb-icccm.so.4 libxcb-icccm4
libxcb-image.so.0 libxcb-image0
libxcb-keysyms.so.1 libxcb-keysyms1
libxcb-randr.so.0 libxcb-randr0
libxcb-render-util.so.0 libxcb-render-util0
libxcb-shape.so.0 libxcb-shape0
libxcb-sync.so.1 libxcb-sync1
libxcb-xfixes.so.0 libxcb-xfixes0
libxcb-xkb.so.1 libxcb-xkb1
END
}

case "$1" in
window)
    [ "$(uname -s)" = Linux ] || exit 0
    libraries
    if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
        command -v Xvfb >/dev/null 2>&1 || want xvfb
        command -v xauth >/dev/null 2>&1 || want xauth
    fi
    if [ -z "$(find /usr/share/fonts -name '*.[to]tf' -print -quit 2>/dev/null)" ]; then want fonts-dejavu-core; fi
    ;;
package)
    shift
    for name in "$@"; do want "$name"; done
    ;;
esac
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "These are missing; please install what your system calls them (names are Debian's):$missing" >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo"
else
    echo "Some system packages are missing. Please run this line, then try again:" >&2
    echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
    exit 1
fi
echo "Installing system packages:$missing"
log=$(mktemp)
# shellcheck disable=SC2086
if ! { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
    tail -n 5 "$log" >&2
    rm -f "$log"
    echo "The system packages could not be installed. Please run: apt-get install -y$missing" >&2
    exit 1
fi
rm -f "$log"
