# Help, the page of each verb, what three shells complete, and the schema of recipes say the same.
for shell in bash zsh fish; do compress help --completion $shell >$shell; done
compress help --schema recipe >schema
bash -n bash
for shell in zsh fish; do
    if command -v $shell >/dev/null; then $shell -n $shell; fi
done
for verb in $(compress help | sed -n 's/^    \([a-z]*\) .*/\1/p'); do
    compress help "$verb" | sed -n 's/^    \(-., \)\{0,1\}--\([a-z0-9-]*\).*/\2/p' | sort >help
    compress help "$verb" --man | sed 's/\\-/-/g' | sed -n 's/^\.B \(-., \)\{0,1\}--\([a-z0-9-]*\).*/\2/p' | sort >page
    cmp help page || echo "$verb: page"
    grep "^    $verb) words=" bash | tr ' ' '\n' | sed -n "s/^\(words='\)\{0,1\}--\([a-z0-9-]*\)'\{0,1\}$/\2/p" | sort >words
    sed -n "/^    $verb) _arguments/,/;;/s/^      '--\([a-z0-9-]*\).*/\1/p" zsh | sort >zsh_words
    sed -n "s/.*__fish_seen_subcommand_from $verb' -l \([a-z0-9-]*\).*/\1/p" fish | sort >fish_words
    cmp help words || echo "$verb: bash"
    cmp help zsh_words || echo "$verb: zsh"
    cmp help fish_words || echo "$verb: fish"
    grep -q "^    $verb) words=" bash && grep -q "^      '$verb:" zsh && grep -q -- "-a $verb -d" fish || echo "$verb"
done
# options of steps and gates are keys of the schema, in their groups
for step in train finetune prune distill factorize cluster quantize optimize; do
    sed -n "/^    \"$step\": {\"description\"/,/^    }}/p" schema >part
    compress help $step | sed -n '/^options of the step$/,/^gates$/s/^    --\([a-z0-9-]*\).*/\1/p' | tr - _ >keys
    [ -s keys ]
    while read -r key; do
        grep -q "\"$key\": {" part || grep -q "\"${key#*_}\": {" part || echo "$step: $key is not in the schema"
    done <keys
done
cat >complete.bash <<'BASH'
. ./bash
try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _compress; echo "${COMPREPLY[*]}"; }
try compress pr
try compress prune --method ''
try compress prune --spars
try compress help unp
BASH
bash complete.bash
compress help --completion csh || echo "status $?"
