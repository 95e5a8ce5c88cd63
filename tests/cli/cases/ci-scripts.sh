# What the GitHub action, the GitLab job and the script behind them run, run: each step as the file has it.
mkdir bin
ln -s "$COMPRESS" bin/compress
PATH=$PWD/bin:$PATH
unset -f compress 2>/dev/null || true
cat >r.yaml <<END
model: $FIXTURES/mlp.onnx
steps: [{prune: {method: channel, ratio: 0.5}}]
gates: {max_bytes: 45000}
output: {model: small.onnx}
END
sed 's/45000/100/' r.yaml >bad.yaml

# step NAME: the shell of a step of the action
step() { awk -v name="$1" '$2 == "name:" { on = $3 == name } $1 == "-" && $2 != "name:" { on = 0 }
    /^ *run: \|/ { if (on) { text = 1; next } } text { if (/^        /) print substr($0, 9); else text = 0 }' "$SOURCE/action.yml"; }
export GITHUB_ACTION_PATH="$SOURCE" GITHUB_PATH="$PWD/path" GITHUB_STEP_SUMMARY="$PWD/summary" GITHUB_OUTPUT="$PWD/output"
step Build >build.sh
step Gate >gate.sh
wc -l <build.sh
sh -e build.sh # finds compress and builds nothing
RECIPE=r.yaml OUT=good sh -e gate.sh >/dev/null
ls good
RECIPE=bad.yaml OUT=bad sh -e gate.sh >/dev/null || echo "status $?"
ls bad
cat output
grep '^\*\*' summary

sed -n 's/^    - \(compress apply.*\)/\1/p' "$SOURCE/ci/gitlab.yml" >gitlab.sh
RECIPE=r.yaml OUT=lab sh -e gitlab.sh >/dev/null
ls lab

"$SOURCE/ci/check-recipes" r.yaml >/dev/null && echo checked
sed 's/ratio/ratoi/' r.yaml >misspelt.yaml
"$SOURCE/ci/check-recipes" r.yaml misspelt.yaml >/dev/null 2>&1 || echo "hook $?"
