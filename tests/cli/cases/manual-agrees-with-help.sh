# The page in the tree is what the program prints, and has every option that help shows.
compress help --man | cmp - "$SOURCE/man/compress.1"
sed 's/\\-/-/g' "$SOURCE/man/compress.1" >plain
for verb in apply train finetune prune factorize distill cluster quantize pack unpack eval sensitivity info run bench report help; do
    compress help $verb | sed -n 's/^    \(-[^ ].*--\|--\)\([a-z0-9-]*\).*/--\2/p' >options
    [ -s options ]
    while read -r option; do
        grep -q -- "$option" plain || echo "$verb: $option is not in the manual"
    done <options
done
