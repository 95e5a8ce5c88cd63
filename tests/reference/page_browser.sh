#!/bin/sh
# page_browser.sh PAGE.html… - open pages of reports in headless Chromium: no message on the console, nothing asked for
# but the page itself, nothing wider than a telephone. Chromium 156 was tried.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

browser() {
    chromium --headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update \
        --host-resolver-rules="MAP * ~NOTFOUND" --user-data-dir="$scratch/profile" "$@"
}

bad=0
for page in "$@"; do
    url=file://$(realpath "$page")
    browser --enable-logging=stderr --log-net-log="$scratch/net.json" --net-log-capture-mode=IncludeSensitive \
        --dump-dom "$url" >"$scratch/dom" 2>"$scratch/log"
    messages=$(grep -c CONSOLE "$scratch/log" || true)
    requests=$(grep -o '"url":"[a-z]*://[^"]*"' "$scratch/net.json" | # less what the browser itself asks for
        grep -v 'google\.com\|googleapis\.com\|gvt1\.com' | grep -vc "\"url\":\"$url\"" || true)
    # A copy with a script of its own says how wide the page wants to be in the narrowest window that there is.
    sed 's/<meta http-equiv[^>]*>//; s/<\/body>/<script>document.title=document.documentElement.scrollWidth<\/script><\/body>/' \
        "$page" >"$scratch/wide.html"
    browser --window-size=500,800 --dump-dom "file://$scratch/wide.html" >"$scratch/dom" 2>/dev/null
    width=$(sed -n 's/.*<title>\([0-9]*\)<\/title>.*/\1/p' "$scratch/dom" | head -1)
    echo "$page: $messages console messages, $requests requests, wants $width of 500 pixels, $(wc -c <"$page") bytes"
    [ "$messages" = 0 ] && [ "$requests" = 0 ] && [ "$width" -le 500 ] || bad=1
done
exit $bad
