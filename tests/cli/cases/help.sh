# Help that was asked for goes to stdout, with 0; every verb has one, under both names.
for verb in $(compress help | sed -n 's/^    \([a-z]*\) .*/\1/p'); do
    compress help "$verb" >one
    compress "$verb" --help >two
    cmp one two
    head -n 1 one
done
