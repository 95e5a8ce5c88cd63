/* regex.c - see regex.h. Thompson's construction: "Regular expression search algorithm", 1968. */
#include "base/regex.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { MOST_CODE = 1 << 16, MOST_RANGES = 1 << 16, MOST_DEPTH = 200, MOST_REPEATS = 1000, LARGEST = 0x10ffff };

/* Bytes that are no UTF-8 count from here on. */
enum { NO_CHARACTER = 0x110000 };

enum kind { SET, SPLIT, ASSERT, MATCH };
enum assertion { TEXT_BEGIN, TEXT_END, LINE_BEGIN, LINE_END, WORD, NO_WORD };

/* SET takes a character within (or outside) of ranges [first, first + n) and goes on at the next instruction; SPLIT
 * goes on at both `first` and `n`; ASSERT at the next if assertion `first` holds. */
struct instruction {
    enum kind kind;
    bool negated, no_case;
    int first, n;
};

struct range {
    uint32_t low, high;
};

struct mc_regex {
    struct instruction *code;
    struct range *ranges;
    int n_code, n_ranges;
};

/* --- characters --- */

static uint32_t next_character(const char **at, const char *end)
{
    const unsigned char *s = (const unsigned char *)*at;
    const int more = s[0] < 0x80 ? 0 : s[0] < 0xc2 ? -1 : s[0] < 0xe0 ? 1 : s[0] < 0xf0 ? 2 : s[0] < 0xf5 ? 3 : -1;
    uint32_t c = more <= 0 ? (uint32_t)s[0] : s[0] & (0x3fu >> more);
    for (int i = 1; i <= more; i++) {
        if (s + i >= (const unsigned char *)end || (s[i] & 0xc0) != 0x80) {
            *at += 1;
            return (uint32_t)NO_CHARACTER + s[0];
        }
        c = c << 6 | (s[i] & 0x3f);
    }
    *at += more < 0 ? 1 : more + 1;
    return more < 0 ? (uint32_t)NO_CHARACTER + s[0] : c;
}

static bool is_word(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The other case of an ASCII letter. */
static uint32_t other_case(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ? c ^ 0x20u : c;
}

/* --- parsing --- */

struct flags {
    bool no_case, lines, dot_all;
};

struct parser {
    struct mc_regex *r;
    const char *at, *end;
    size_t cap_code, cap_ranges;
    struct flags flags;
    int depth;
    int last; /* of a quoted text: where its last character stands, which is what a repeat repeats; else -1 */
    struct mc_error *err;
};

static int refuse(struct parser *p, const char *what)
{
    return mc_error_set(p->err, MC_ERR_INPUT, "no regular expression: %s", what);
}

static int emit(struct parser *p, struct instruction one)
{
    struct mc_regex *r = p->r;
    if (r->n_code >= MOST_CODE)
        return mc_error_set(p->err, MC_ERR_UNSUPPORTED, "a regular expression of more than %d instructions", MOST_CODE);
    if (!mc_grow((void **)&r->code, (size_t)r->n_code, &p->cap_code, sizeof *r->code)) return mc_error_memory(p->err);
    r->code[r->n_code++] = one;
    return MC_OK;
}

/* Room for `n` instructions at `at`, which moves what stands there. */
static int insert(struct parser *p, int at, struct instruction one)
{
    struct mc_regex *r = p->r;
    const int rc = emit(p, one);
    if (rc < 0) return rc;
    memmove(&r->code[at + 1], &r->code[at], (size_t)(r->n_code - 1 - at) * sizeof *r->code);
    r->code[at] = one;
    for (int i = at + 1; i < r->n_code; i++)
        if (r->code[i].kind == SPLIT) {
            if (r->code[i].first >= at) r->code[i].first++;
            if (r->code[i].n >= at) r->code[i].n++;
        }
    return MC_OK;
}

static int add_range(struct parser *p, uint32_t low, uint32_t high)
{
    struct mc_regex *r = p->r;
    if (r->n_ranges >= MOST_RANGES) return refuse(p, "too many ranges");
    if (!mc_grow((void **)&r->ranges, (size_t)r->n_ranges, &p->cap_ranges, sizeof *r->ranges))
        return mc_error_memory(p->err);
    r->ranges[r->n_ranges++] = (struct range){low, high};
    return MC_OK;
}

/* Pairs of bounds, and with `negated` what lies between and beyond them. */
static int add_pairs(struct parser *p, const char *pairs, bool negated)
{
    uint32_t from = 0;
    int rc = MC_OK;
    for (; *pairs && rc == MC_OK; pairs += 2) {
        const uint32_t low = (unsigned char)pairs[0], high = (unsigned char)pairs[1];
        if (!negated)
            rc = add_range(p, low, high);
        else if (low > from)
            rc = add_range(p, from, low - 1);
        from = high + 1;
    }
    return rc == MC_OK && negated ? add_range(p, from, NO_CHARACTER + 255) : rc;
}

/* \d, \s, \w and their opposites; 1 if it is none of them. Bounds are in ascending order. */
static int add_class(struct parser *p, char letter)
{
    switch (letter) {
    case 'd':
    case 'D':
        return add_pairs(p, "09", letter == 'D');
    case 's':
    case 'S':
        return add_pairs(p, "\t\n\f\r  ", letter == 'S');
    case 'w':
    case 'W':
        return add_pairs(p, "09AZ__az", letter == 'W');
    default:
        return 1;
    }
}

static int read_hex(struct parser *p, uint32_t *c)
{
    const bool braces = p->at < p->end && *p->at == '{';
    int n = 0;
    *c = 0;
    for (p->at += braces; p->at < p->end && n < (braces ? 6 : 2); p->at++, n++) {
        static const char digits[] = "0123456789abcdef";
        const char *d = strchr(digits, *p->at >= 'A' && *p->at <= 'F' ? *p->at + 32 : *p->at);
        if (!d || !*d) break;
        *c = *c << 4 | (uint32_t)(d - digits);
    }
    if (n == 0 || (!braces && n < 2) || *c > LARGEST) return refuse(p, "\\x without a number");
    if (braces && (p->at == p->end || *p->at++ != '}')) return refuse(p, "\\x{ without }");
    return MC_OK;
}

/* What stands after a backslash, if it is one character. */
static int read_escape(struct parser *p, uint32_t *c)
{
    static const char letters[] = "aftnrv", meant[] = "\a\f\t\n\r\v";
    const char letter = *p->at;
    const char *known = strchr(letters, letter);
    if (letter == 'x') {
        p->at++;
        return read_hex(p, c);
    }
    if (letter == 'p' || letter == 'P' || letter == 'C')
        return mc_error_set(p->err, MC_ERR_UNSUPPORTED, "\\%c in a regular expression", letter);
    *c = next_character(&p->at, p->end);
    if (known && letter) *c = (unsigned char)meant[known - letters];
    if (letter >= '0' && letter <= '7') {
        *c = (uint32_t)(letter - '0');
        for (int i = 0; i < 2 && p->at < p->end && *p->at >= '0' && *p->at <= '7'; i++)
            *c = *c * 8 + (uint32_t)(*p->at++ - '0');
        if (letter != '0') return refuse(p, "a reference to a group");
        return MC_OK;
    }
    return !known && is_word(*c) ? refuse(p, "an unknown escape") : MC_OK;
}

/* Which case a letter beyond ASCII has is not known. */
static int need_no_case(struct parser *p)
{
    if (!p->flags.no_case) return MC_OK;
    return mc_error_set(p->err, MC_ERR_UNSUPPORTED, "(?i) with characters beyond ASCII in a regular expression");
}

static const struct {
    const char *name, *pairs;
} posix[] = {
    {"alnum", "09AZaz"}, {"alpha", "AZaz"}, {"ascii", "\1\177"},  {"blank", "\t\t  "},  {"cntrl", "\1\37\177\177"},
    {"digit", "09"},     {"graph", "!~"},   {"lower", "az"},      {"print", " ~"},      {"punct", "!/:@[`{~"},
    {"space", "\t\r  "}, {"upper", "AZ"},   {"word", "09AZ__az"}, {"xdigit", "09AFaf"},
};

/* [:name:]; 1 if there is none. */
static int add_posix(struct parser *p)
{
    if (p->end - p->at < 2 || memcmp(p->at, "[:", 2) != 0) return 1;
    for (size_t i = 0; i < MC_COUNT(posix); i++) {
        const size_t n = strlen(posix[i].name);
        const char *at = p->at + 2;
        const bool negated = at < p->end && *at == '^';
        at += negated;
        if (p->end - at < (ptrdiff_t)n + 2 || memcmp(at, posix[i].name, n) != 0 || memcmp(at + n, ":]", 2) != 0)
            continue;
        p->at = at + n + 2;
        return add_pairs(p, posix[i].pairs, negated);
    }
    return refuse(p, "an unknown class of characters");
}

static int read_bound(struct parser *p, uint32_t *c)
{
    if (p->at < p->end && *p->at == '\\' && p->at + 1 < p->end) {
        p->at++;
        return read_escape(p, c);
    }
    *c = next_character(&p->at, p->end);
    return MC_OK;
}

/* One entry of a class: a named one, a character, a range. */
static int read_entry(struct parser *p)
{
    uint32_t low, high;
    int rc = add_posix(p);
    if (rc <= 0) return rc;
    if (*p->at == '\\' && p->at + 1 < p->end) {
        rc = add_class(p, p->at[1]);
        if (rc <= 0) {
            p->at += 2;
            return rc;
        }
    }
    rc = read_bound(p, &low);
    high = low;
    if (rc == MC_OK && p->end - p->at > 1 && p->at[0] == '-' && p->at[1] != ']') {
        p->at++;
        rc = read_bound(p, &high);
    }
    if (rc == MC_OK && high < low) rc = refuse(p, "a range that ends before it begins");
    if (rc == MC_OK && high > 0x7f) rc = need_no_case(p);
    return rc == MC_OK ? add_range(p, low, high) : rc;
}

/* After '['. */
static int parse_class(struct parser *p)
{
    struct instruction set = {SET, .no_case = p->flags.no_case, .first = p->r->n_ranges};
    int rc = MC_OK;
    if (p->at < p->end && *p->at == '^') {
        set.negated = true;
        p->at++;
    }
    for (bool first = true; rc == MC_OK; first = false) {
        if (p->at >= p->end) return refuse(p, "[ without ]");
        if (*p->at == ']' && !first) break;
        rc = read_entry(p);
    }
    p->at += rc == MC_OK;
    set.n = p->r->n_ranges - set.first;
    return rc == MC_OK ? emit(p, set) : rc;
}

static int one_character(struct parser *p, uint32_t c)
{
    const struct instruction set = {SET, .no_case = p->flags.no_case, .first = p->r->n_ranges, .n = 1};
    int rc = c > 0x7f ? need_no_case(p) : MC_OK;
    if (rc == MC_OK) rc = add_range(p, c, c);
    return rc == MC_OK ? emit(p, set) : rc;
}

static int assertion(struct parser *p, enum assertion what)
{
    return emit(p, (struct instruction){ASSERT, .first = what});
}

/* \Q…\E */
static int parse_quoted(struct parser *p)
{
    int rc = MC_OK;
    while (rc == MC_OK && p->at < p->end && !(p->end - p->at > 1 && p->at[0] == '\\' && p->at[1] == 'E')) {
        p->last = p->r->n_code;
        rc = one_character(p, next_character(&p->at, p->end));
    }
    if (p->at < p->end) p->at += 2;
    return rc;
}

/* After a backslash. */
static int parse_escape(struct parser *p)
{
    if (p->at >= p->end) return refuse(p, "a backslash at the end");
    const struct instruction set = {SET, .first = p->r->n_ranges};
    const char letter = *p->at;
    int rc = add_class(p, letter);
    if (rc <= 0) {
        p->at++;
        struct instruction class = set;
        class.n = p->r->n_ranges - set.first;
        return rc == MC_OK ? emit(p, class) : rc;
    }
    static const char letters[] = "AzbB";
    static const enum assertion meant[] = {TEXT_BEGIN, TEXT_END, WORD, NO_WORD};
    const char *known = strchr(letters, letter);
    if (known && letter) {
        p->at++;
        return assertion(p, meant[known - letters]);
    }
    if (letter == 'Q') {
        p->at++;
        return parse_quoted(p);
    }
    uint32_t c;
    rc = read_escape(p, &c);
    return rc == MC_OK ? one_character(p, c) : rc;
}

static int parse_alternatives(struct parser *p);

/* After "(?": names, flags. *group: is it followed by an expression? */
static int parse_flags(struct parser *p, bool *group)
{
    bool on = true;
    *group = true;
    if (p->at < p->end && *p->at == 'P') p->at++;
    if (p->at < p->end && *p->at == '<') {
        while (p->at < p->end && *p->at != '>') p->at++;
        if (p->at >= p->end) return refuse(p, "a name without an end");
        p->at++;
        return MC_OK;
    }
    for (; p->at < p->end; p->at++) {
        switch (*p->at) {
        case '-':
            on = false;
            break;
        case 'i':
            p->flags.no_case = on;
            break;
        case 'm':
            p->flags.lines = on;
            break;
        case 's':
            p->flags.dot_all = on;
            break;
        case 'U': /* which of several matches is meant makes no difference here */
            break;
        case ')':
            *group = false;
            /* fall through */
        case ':':
            p->at++;
            return MC_OK;
        default:
            return refuse(p, "an unknown flag");
        }
    }
    return refuse(p, "( without )");
}

/* After '('. Flags that stand alone hold until the group around them ends. */
static int parse_group(struct parser *p)
{
    const struct flags before = p->flags;
    bool group = true;
    int rc = MC_OK;
    if (p->depth >= MOST_DEPTH)
        return mc_error_set(p->err, MC_ERR_UNSUPPORTED, "a regular expression nested more than %d deep", MOST_DEPTH);
    if (p->at < p->end && *p->at == '?') {
        p->at++;
        rc = parse_flags(p, &group);
    }
    if (rc < 0 || !group) return rc;
    p->depth++;
    rc = parse_alternatives(p);
    p->depth--;
    p->last = -1;
    p->flags = before;
    if (rc < 0) return rc;
    if (p->at >= p->end || *p->at != ')') return refuse(p, "( without )");
    p->at++;
    return MC_OK;
}

/* A decimal number; -1: none. */
static int read_count(struct parser *p)
{
    int n = -1;
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++)
        n = n > MOST_REPEATS ? n : (n < 0 ? 0 : n) * 10 + (*p->at - '0');
    return n;
}

/* {low}, {low,}, {low,high}: false, and nothing read, if it is not that. */
static bool read_counts(struct parser *p, int *low, int *high)
{
    const char *const start = p->at++;
    *low = *high = read_count(p);
    if (*low >= 0 && p->at < p->end && *p->at == ',') {
        p->at++;
        *high = read_count(p);
    }
    if (*low >= 0 && p->at < p->end && *p->at == '}') {
        p->at++;
        return true;
    }
    p->at = start;
    return false;
}

/* Copy instructions [from, to) to the end. */
static int copy_code(struct parser *p, int from, int to)
{
    const int shift = p->r->n_code - from;
    int rc = MC_OK;
    for (int i = from; i < to && rc == MC_OK; i++) {
        struct instruction one = p->r->code[i];
        if (one.kind == SPLIT) {
            one.first += shift;
            one.n += shift;
        }
        rc = emit(p, one);
    }
    return rc;
}

/* The instructions from `from` on may be left out. */
static int make_optional(struct parser *p, int from)
{
    return insert(p, from, (struct instruction){SPLIT, .first = from + 1, .n = p->r->n_code + 1});
}

/* … or done again and again, at least once. */
static int make_loop(struct parser *p, int from)
{
    return emit(p, (struct instruction){SPLIT, .first = from, .n = p->r->n_code + 1});
}

/* `low` times, then up to `high`, or without end if that is -1. */
static int repeat(struct parser *p, int from, int low, int high)
{
    const int length = p->r->n_code - from, copies = high < 0 ? (low > 0 ? low : 1) : high;
    int rc = MC_OK;
    if (low > MOST_REPEATS || high > MOST_REPEATS || (high >= 0 && high < low))
        return refuse(p, "a bad number of repeats");
    if (high == 0) {
        p->r->n_code = from;
        return MC_OK;
    }
    /* of copies that may be left out each begins with a way around it */
    for (int k = 1; k < copies && rc == MC_OK; k++) rc = copy_code(p, from, from + length);
    if (rc == MC_OK && high < 0) rc = make_loop(p, from + (copies - 1) * length);
    if (rc == MC_OK && high < 0 && low == 0) rc = make_optional(p, from);
    for (int k = copies - 1; high >= 0 && k >= low && rc == MC_OK; k--) rc = make_optional(p, from + k * length);
    return rc;
}

/* What may follow an item. */
static int parse_repeats(struct parser *p, int from)
{
    int rc = MC_OK;
    for (int n = 0; p->at < p->end && rc == MC_OK; n++) {
        int low = 0, high = -1;
        if (*p->at == '{') {
            if (!read_counts(p, &low, &high)) return MC_OK;
        } else if (*p->at == '*' || *p->at == '+' || *p->at == '?') {
            low = *p->at == '+';
            high = *p->at == '?' ? 1 : -1;
            p->at++;
        } else {
            return MC_OK;
        }
        if (n > 0) return refuse(p, "repeats of repeats");
        if (p->at < p->end && *p->at == '?') p->at++; /* the shortest match is one all the same */
        rc = repeat(p, from, low, high);
    }
    return rc;
}

static int parse_item(struct parser *p)
{
    static const char not_lines[] = "\n\n";
    const struct instruction dot = {SET, .negated = true, .first = p->r->n_ranges, .n = p->flags.dot_all ? 0 : 1};
    const char c = *p->at;
    int rc;
    switch (c) {
    case '[':
        p->at++;
        return parse_class(p);
    case '(':
        p->at++;
        return parse_group(p);
    case '\\':
        p->at++;
        return parse_escape(p);
    case '.':
        p->at++;
        rc = add_pairs(p, not_lines, false);
        return rc == MC_OK ? emit(p, dot) : rc;
    case '^':
        p->at++;
        return assertion(p, p->flags.lines ? LINE_BEGIN : TEXT_BEGIN);
    case '$':
        p->at++;
        return assertion(p, p->flags.lines ? LINE_END : TEXT_END);
    case '*':
    case '+':
    case '?':
        return refuse(p, "nothing to repeat");
    default:
        return one_character(p, next_character(&p->at, p->end));
    }
}

static int parse_sequence(struct parser *p)
{
    int rc = MC_OK;
    while (p->at < p->end && *p->at != '|' && *p->at != ')' && rc == MC_OK) {
        const int from = p->r->n_code;
        p->last = -1;
        rc = parse_item(p);
        if (rc == MC_OK) rc = parse_repeats(p, p->last >= 0 ? p->last : from);
    }
    return rc;
}

/* Each but the last begins with a way to the next, and ends with a way to the end; until that is known, with the place
 * where the one before ended. */
static int parse_alternatives(struct parser *p)
{
    int left = -1;
    for (;;) {
        const int from = p->r->n_code;
        int rc = parse_sequence(p);
        if (rc < 0) return rc;
        if (p->at >= p->end || *p->at != '|') break;
        p->at++;
        rc = insert(p, from, (struct instruction){SPLIT, .first = from + 1, .n = p->r->n_code + 2});
        if (rc == MC_OK) rc = emit(p, (struct instruction){SPLIT, .first = left, .n = -1});
        if (rc < 0) return rc;
        left = p->r->n_code - 1;
    }
    while (left >= 0) {
        struct instruction *leave = &p->r->code[left];
        left = leave->first;
        leave->first = leave->n = p->r->n_code;
    }
    return MC_OK;
}

int mc_regex_create(struct mc_regex **regex, const char *pattern, size_t length, struct mc_error *err)
{
    struct mc_regex *r = MC_NEW(struct mc_regex);
    struct parser p = {.r = r, .at = pattern, .end = pattern + length, .err = err};
    *regex = NULL;
    if (!r) return mc_error_memory(err);
    int rc = parse_alternatives(&p);
    if (rc == MC_OK && p.at < p.end) rc = refuse(&p, ") without (");
    if (rc == MC_OK) rc = emit(&p, (struct instruction){MATCH});
    if (rc < 0) {
        mc_regex_destroy(r);
        return rc;
    }
    *regex = r;
    return MC_OK;
}

void mc_regex_destroy(struct mc_regex *regex)
{
    if (!regex) return;
    mc_free(regex->code);
    mc_free(regex->ranges);
    mc_free(regex);
}

/* --- matching --- */

static bool in_ranges(const struct mc_regex *r, const struct instruction *set, uint32_t c)
{
    for (int i = set->first; i < set->first + set->n; i++)
        if (c >= r->ranges[i].low && c <= r->ranges[i].high) return true;
    return false;
}

static bool takes(const struct mc_regex *r, const struct instruction *set, uint32_t c)
{
    const bool found = in_ranges(r, set, c) || (set->no_case && in_ranges(r, set, other_case(c)));
    return found != set->negated;
}

/* Where in the text it is, for assertions. */
struct place {
    const char *begin, *at, *end;
};

static bool holds(enum assertion what, const struct place *place)
{
    const bool first = place->at == place->begin, last = place->at == place->end;
    const bool before = !first && is_word((unsigned char)place->at[-1]),
               after = !last && is_word((unsigned char)*place->at);
    switch (what) {
    case TEXT_BEGIN:
        return first;
    case TEXT_END:
        return last;
    case LINE_BEGIN:
        return first || place->at[-1] == '\n';
    case LINE_END:
        return last || *place->at == '\n';
    case WORD:
        return before != after;
    default:
        return before == after;
    }
}

/* Instructions that are waiting, each once. */
struct list {
    int n, *at;
    int *seen; /* in which round each instruction was added */
};

struct walk {
    const struct mc_regex *r;
    struct list now, next;
    int *stack, round;
};

/* Add an instruction and what it leads to without taking a character. */
static void add(struct walk *w, struct list *list, int first, const struct place *place)
{
    int n = 0;
    w->stack[n++] = first;
    while (n > 0) {
        const int i = w->stack[--n];
        const struct instruction *one = &w->r->code[i];
        if (list->seen[i] == w->round) continue;
        list->seen[i] = w->round;
        if (one->kind == SPLIT) {
            w->stack[n++] = one->n;
            w->stack[n++] = one->first;
        } else if (one->kind == ASSERT) {
            if (holds((enum assertion)one->first, place)) w->stack[n++] = i + 1;
        } else {
            list->at[list->n++] = i;
        }
    }
}

static bool run(struct walk *w, struct place place)
{
    w->round = 1;
    add(w, &w->now, 0, &place);
    while (place.at < place.end && w->now.n > 0) {
        const uint32_t c = next_character(&place.at, place.end);
        w->round++;
        w->next.n = 0;
        for (int i = 0; i < w->now.n; i++) {
            const struct instruction *one = &w->r->code[w->now.at[i]];
            if (one->kind == SET && takes(w->r, one, c)) add(w, &w->next, w->now.at[i] + 1, &place);
        }
        const struct list other = w->now;
        w->now = w->next;
        w->next = other;
    }
    for (int i = 0; i < w->now.n && place.at == place.end; i++)
        if (w->r->code[w->now.at[i]].kind == MATCH) return true;
    return false;
}

int mc_regex_matches(const struct mc_regex *regex, const char *text, size_t length, bool *matches, struct mc_error *err)
{
    const size_t n = (size_t)regex->n_code;
    /* rounds are counted in int; a SPLIT puts two on the stack for the one it takes */
    int *room = length < INT32_MAX ? mc_alloc(n * 4 + 2 * n + 2, sizeof(int)) : NULL;
    if (!room) return mc_error_memory(err);
    struct walk w = {.r = regex,
                     .now = {.at = room, .seen = room + n},
                     .next = {.at = room + 2 * n, .seen = room + 3 * n},
                     .stack = room + 4 * n};
    *matches = run(&w, (struct place){text, text, text + length});
    mc_free(room);
    return MC_OK;
}
