#!/bin/sh
# page_axe.sh AXE.MIN.JS PAGE.html… - hold pages of reports against the rules of axe-core, light and dark, wide and as
# narrow as a window can be. AXE.MIN.JS is in the package axe-core-python of PyPI (0.1.0 was tried, with Chromium 156):
#
#   pip download --no-deps axe-core-python && python3 -m zipfile -e axe_core_python-*.whl axe
#   tests/reference/page_axe.sh axe/axe_core_python/axe.min.js out/report.html
set -eu
axe=$(realpath "$1")
shift
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cat >"$scratch/ask.html" <<'SCRIPT'
<script src="axe.min.js"></script>
<script>
axe.run(document).then(found => {
  const lines = found.violations.flatMap(v => v.nodes.map(n => `  ${v.impact} ${v.id}: ${v.help}: ${n.target.join(" ")}: ${n.any.concat(n.all, n.none).map(c => c.message).join("; ")}`));
  const told = document.createElement("pre");
  told.id = "axe";
  told.textContent = `\naxe: ${found.passes.length} rules passed, ${found.violations.length} violated, ${found.incomplete.length} undecided\n${lines.join("\n")}\nend of axe\n`;
  document.body.append(told);
});
</script>
SCRIPT
cp "$axe" "$scratch/axe.min.js"

bad=0
for page in "$@"; do
    # The page lets no script run: this is a copy that does.
    sed 's/<meta http-equiv[^>]*>//' "$page" | sed "/<\/body>/{
        r $scratch/ask.html
        N
    }" >"$scratch/page.html"
    for scheme in 1 0; do
        for width in 1280 500; do
            chromium --headless --no-sandbox --disable-gpu --host-resolver-rules="MAP * ~NOTFOUND" --user-data-dir="$scratch/profile" \
                --allow-file-access-from-files --blink-settings=preferredColorScheme=$scheme --window-size=$width,900 \
                --virtual-time-budget=60000 --dump-dom "file://$scratch/page.html" 2>/dev/null |
                sed -n '/^axe: /,/^end of axe/p' | sed '/^end of axe/d; s/&gt;/>/g; s/&lt;/</g; s/&amp;/\&/g' >"$scratch/told"
            echo "$page, $([ $scheme = 1 ] && echo light || echo dark), $width pixels: $(sed -n 's/^axe: //p' "$scratch/told")"
            sed "1d; /^$/d" "$scratch/told"
            grep -q '^axe: .* 0 violated' "$scratch/told" || bad=1
        done
    done
done
exit $bad
