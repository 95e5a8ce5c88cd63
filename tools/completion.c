/* completion.c - what shells complete of the command; see completion.h.
 *
 * Verbs, then the options of the verb, and of an option that has choices these; everything else is a file.
 */
#include "completion.h"

#include <stdio.h>
#include <string.h>

#include "verbs.h"

enum { WORD = 64, MEANING = 96 };

/* Call `print` for every option of a verb. */
static void each_option(const struct verb *verb, void (*print)(const struct verb *verb, const struct mc_option *option))
{
    for (int table = 0; table < OPTION_TABLES; table++) {
        size_t n;
        const struct mc_option *options = verb_options(verb, table, &n);
        for (size_t i = 0; i < n; i++) print(verb, &options[i]);
    }
}

/* Choices with blanks between them. */
static void print_choices(const char *choices)
{
    for (; *choices; choices++) putchar(*choices == '|' ? ' ' : *choices);
}

/* The help of an option up to its first comma or semicolon, without what quotes and brackets mean to shells. */
static void print_meaning(const char *help)
{
    char text[MEANING];
    snprintf(text, sizeof text, "%.*s", (int)strcspn(help, ",;:"), help);
    for (const char *c = text; *c; c++)
        if (!strchr("'[]\\`$\"", *c)) putchar(*c);
}

/* --- bash --- */

static void bash_word(const struct verb *verb, const struct mc_option *option)
{
    char word[WORD];
    (void)verb;
    printf(" %s", option_as_word(option, word, sizeof word));
    if (option_letter(option)) printf(" -%c", option_letter(option));
}

static void bash_choices(const struct verb *verb, const struct mc_option *option)
{
    char word[WORD];
    if (!option->choices) return;
    printf("    %s:%s) words='", verb->name, option_as_word(option, word, sizeof word));
    print_choices(option->choices);
    printf("' ;;\n");
}

static void print_bash(void)
{
    printf("# compress(1) for bash; written by 'compress help --completion bash'.\n"
           "_compress() {\n"
           "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\n"
           "    COMPREPLY=()\n"
           "    if [ \"$COMP_CWORD\" = 1 ]; then\n"
           "        words='");
    for (int i = 0; verbs[i]; i++) printf("%s%s", i ? " " : "", verbs[i]->name);
    printf("'\n"
           "    else\n"
           "    case ${COMP_WORDS[1]}:$before in\n"
           "    help:help) words='");
    for (int i = 0; verbs[i]; i++) printf("%s%s", i ? " " : "", verbs[i]->name);
    printf("' ;;\n");
    for (int i = 0; verbs[i]; i++) each_option(verbs[i], bash_choices);
    printf("    esac\n"
           "    if [ -z \"$words\" ] && [[ $current == -* ]]; then\n"
           "    case ${COMP_WORDS[1]} in\n");
    for (int i = 0; verbs[i]; i++) {
        printf("    %s) words='", verbs[i]->name);
        each_option(verbs[i], bash_word);
        printf("' ;;\n");
    }
    printf("    esac\n"
           "    fi\n"
           "    fi\n"
           "    [ -z \"$words\" ] || COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
           "}\n"
           "complete -o default -F _compress compress\n");
}

/* --- zsh --- */

static void zsh_option(const struct verb *verb, const struct mc_option *option)
{
    char word[WORD];
    (void)verb;
    printf("      '%s%s[", option_as_word(option, word, sizeof word), option->kind == MC_OPTION_FLAG ? "" : "=");
    print_meaning(option->help);
    printf("]");
    if (option->choices) {
        printf(":%s:(", option->name);
        print_choices(option->choices);
        printf(")");
    } else if (option->kind != MC_OPTION_FLAG) {
        printf(":%s:_files", option->name);
    }
    printf("' \\\n");
}

static void print_zsh(void)
{
    printf("#compdef compress\n"
           "# compress(1) for zsh; written by 'compress help --completion zsh'.\n"
           "_compress() {\n"
           "  if (( CURRENT == 2 )); then\n"
           "    local -a verbs=(\n");
    for (int i = 0; verbs[i]; i++) {
        printf("      '%s:", verbs[i]->name);
        print_meaning(verbs[i]->summary);
        printf("'\n");
    }
    printf("    )\n"
           "    _describe verb verbs\n"
           "    return\n"
           "  fi\n"
           "  local verb=$words[2]\n"
           "  shift words\n"
           "  (( CURRENT-- ))\n"
           "  case $verb in\n");
    for (int i = 0; verbs[i]; i++) {
        printf("    %s) _arguments \\\n", verbs[i]->name);
        each_option(verbs[i], zsh_option);
        printf("      '*:file:_files' ;;\n");
    }
    printf("  esac\n"
           "}\n"
           "_compress \"$@\"\n");
}

/* --- fish --- */

static void fish_option(const struct verb *verb, const struct mc_option *option)
{
    char word[WORD];
    printf("complete -c compress -n '__fish_seen_subcommand_from %s' -l %s", verb->name,
           option_as_word(option, word, sizeof word) + 2);
    if (option_letter(option)) printf(" -s %c", option_letter(option));
    if (option->choices) {
        printf(" -x -a '");
        print_choices(option->choices);
        printf("'");
    } else if (option->kind != MC_OPTION_FLAG) {
        printf(" -r");
    }
    printf(" -d '");
    print_meaning(option->help);
    printf("'\n");
}

static void print_fish(void)
{
    printf("# compress(1) for fish; written by 'compress help --completion fish'.\n");
    for (int i = 0; verbs[i]; i++) {
        printf("complete -c compress -n __fish_use_subcommand -f -a %s -d '", verbs[i]->name);
        print_meaning(verbs[i]->summary);
        printf("'\n");
    }
    for (int i = 0; verbs[i]; i++) each_option(verbs[i], fish_option);
}

void completion_print(const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        print_bash();
    else if (strcmp(shell, "zsh") == 0)
        print_zsh();
    else
        print_fish();
}
