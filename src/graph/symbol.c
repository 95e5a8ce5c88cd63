/* symbol.c - integers as expressions over open dimensions; see symbol.h. */
#include "graph/symbol.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

/* Shapes of models stay far below these; what goes beyond is unknown. */
enum { MOST_TERMS = 8, MOST_FACTORS = 7, MOST_STORED = 1 << 20 };

/* What is known of a value: at least `low`, at most `high`; the ends of int64 say nothing. */
struct range {
    int64_t low, high;
};

static const struct range anything = {INT64_MIN, INT64_MAX};

enum kind { NAMED, QUOTIENT, LEAST, GREATEST };

struct atom {
    enum kind kind;
    mc_symbol a, b;   /* operands; 0 for a name */
    const char *name; /* NULL for the others */
    struct range range;
};

/* number * atom * atom …, atoms in ascending order */
struct term {
    int64_t number;
    int n;
    int atom[MOST_FACTORS];
};

/* Terms in the order of compare_terms, no two with the same atoms, none with number 0. Unused parts are all zero and
 * there is no padding, so that equal sums have equal bytes. */
struct sum {
    int64_t n;
    struct term term[MOST_TERMS];
};

struct mc_symbols {
    struct mc_arena texts;
    int n_atoms;
    size_t cap_atoms;
    struct atom *atoms;
    int n_sums, cap_sums;
    struct sum *sums; /* symbol s is sums[s - 1] */
    int n_slots;      /* a power of two, at least twice n_sums */
    mc_symbol *slots; /* open addressing by the hash of the sum; 0: free */
};

struct mc_symbols *mc_symbols_create(void)
{
    struct mc_symbols *s = MC_NEW(struct mc_symbols);
    if (s) mc_arena_init(&s->texts);
    return s;
}

void mc_symbols_destroy(struct mc_symbols *s)
{
    if (!s) return;
    mc_arena_finish(&s->texts);
    mc_free(s->slots);
    mc_free(s->sums);
    mc_free(s->atoms);
    mc_free(s);
}

/* --- storing --- */

static const struct sum *sum_of(const struct mc_symbols *s, mc_symbol a)
{
    return &s->sums[a - 1];
}

/* The slot that holds the sum, or the free one where it belongs. */
static mc_symbol *find_slot(const struct mc_symbols *s, const struct sum *sum)
{
    const int mask = s->n_slots - 1;
    int at = (int)(mc_hash_bytes(sum, sizeof *sum, 0) & (uint64_t)mask);
    while (s->slots[at] && memcmp(sum_of(s, s->slots[at]), sum, sizeof *sum) != 0) at = (at + 1) & mask;
    return &s->slots[at];
}

static bool grow(struct mc_symbols *s)
{
    const int n = s->n_slots ? 2 * s->n_slots : 64;
    mc_symbol *slots = n <= MOST_STORED ? MC_NEW_ARRAY(mc_symbol, n) : NULL;
    struct sum *sums = slots ? mc_realloc(s->sums, (size_t)n / 2, sizeof *sums) : NULL;
    if (!sums) {
        mc_free(slots);
        return false;
    }
    mc_free(s->slots);
    s->slots = slots;
    s->n_slots = n;
    s->sums = sums;
    s->cap_sums = n / 2;
    for (int i = 0; i < s->n_sums; i++) *find_slot(s, &s->sums[i]) = i + 1;
    return true;
}

static mc_symbol store(struct mc_symbols *s, const struct sum *sum)
{
    if (s->n_sums == s->cap_sums && !grow(s)) return MC_SYMBOL_UNKNOWN;
    mc_symbol *slot = find_slot(s, sum);
    if (!*slot) {
        s->sums[s->n_sums++] = *sum;
        *slot = s->n_sums;
    }
    return *slot;
}

static mc_symbol store_atom(struct mc_symbols *s, const struct atom *atom)
{
    int at = 0;
    while (at < s->n_atoms && (s->atoms[at].kind != atom->kind || s->atoms[at].a != atom->a ||
                               s->atoms[at].b != atom->b || (atom->name && strcmp(s->atoms[at].name, atom->name) != 0)))
        at++;
    if (at == s->n_atoms) {
        if (!mc_grow((void **)&s->atoms, (size_t)at, &s->cap_atoms, sizeof *s->atoms)) return MC_SYMBOL_UNKNOWN;
        s->atoms[at] = *atom;
        if (atom->name && !(s->atoms[at].name = mc_arena_strdup(&s->texts, atom->name))) return MC_SYMBOL_UNKNOWN;
        s->n_atoms++;
    }
    return store(s, &(struct sum){.n = 1, .term = {{.number = 1, .n = 1, .atom = {at}}}});
}

mc_symbol mc_symbol_number(struct mc_symbols *s, int64_t value)
{
    return store(s, &(struct sum){.n = value != 0, .term = {{.number = value}}});
}

mc_symbol mc_symbol_named(struct mc_symbols *s, const char *name)
{
    return store_atom(s, &(struct atom){.kind = NAMED, .name = name, .range = {1, INT64_MAX}});
}

bool mc_symbol_is_number(const struct mc_symbols *s, mc_symbol a, int64_t *value)
{
    if (a == MC_SYMBOL_UNKNOWN) return false;
    const struct sum *sum = sum_of(s, a);
    if (sum->n > 1 || (sum->n == 1 && sum->term[0].n > 0)) return false;
    *value = sum->n ? sum->term[0].number : 0;
    return true;
}

/* --- ranges: ends that nothing is known of stay what they are --- */

static int64_t end_times(int64_t a, int64_t b, int64_t open)
{
    int64_t product;
    if (a == open || b == open) return open;
    return mc_mul_i64(a, b, &product) ? product : open;
}

static int64_t end_plus(int64_t a, int64_t b, int64_t open)
{
    int64_t sum;
    if (a == open || b == open) return open;
    return mc_add_i64(a, b, &sum) ? sum : open;
}

static struct range range_of_term(const struct mc_symbols *s, const struct term *t)
{
    struct range r = {1, 1};
    for (int i = 0; i < t->n; i++) {
        const struct range of = s->atoms[t->atom[i]].range;
        if (of.low < 0) return anything;
        r = (struct range){end_times(r.low, of.low, INT64_MAX), end_times(r.high, of.high, INT64_MAX)};
    }
    if (t->number > 0)
        return (struct range){end_times(r.low, t->number, INT64_MAX), end_times(r.high, t->number, INT64_MAX)};
    if (r.high == INT64_MAX) return (struct range){INT64_MIN, end_times(r.low, t->number, INT64_MIN)};
    return (struct range){end_times(r.high, t->number, INT64_MIN), end_times(r.low, t->number, INT64_MIN)};
}

static struct range range_of_sum(const struct mc_symbols *s, const struct sum *sum)
{
    struct range all = {0, 0};
    for (int i = 0; i < sum->n; i++) {
        const struct range r = range_of_term(s, &sum->term[i]);
        all = (struct range){end_plus(all.low, r.low, INT64_MIN), end_plus(all.high, r.high, INT64_MAX)};
    }
    return all;
}

static struct range range_of(const struct mc_symbols *s, mc_symbol a)
{
    return range_of_sum(s, sum_of(s, a));
}

bool mc_symbol_at_least(const struct mc_symbols *s, mc_symbol a, int64_t bound)
{
    return a != MC_SYMBOL_UNKNOWN && range_of(s, a).low >= bound;
}

/* --- sums and products --- */

/* More factors first, the number by itself last. */
static int compare_terms(const struct term *a, const struct term *b)
{
    if (a->n != b->n) return b->n - a->n;
    for (int i = 0; i < a->n; i++)
        if (a->atom[i] != b->atom[i]) return a->atom[i] - b->atom[i];
    return 0;
}

/* Put a term where it belongs; false: too many, or a number beyond 64 bits. */
static bool add_term(struct sum *sum, const struct term *t)
{
    int at = 0;
    if (t->number == 0) return true;
    while (at < sum->n && compare_terms(&sum->term[at], t) < 0) at++;
    if (at == sum->n || compare_terms(&sum->term[at], t) != 0) {
        if (sum->n == MOST_TERMS) return false;
        memmove(&sum->term[at + 1], &sum->term[at], (size_t)(sum->n++ - at) * sizeof *t);
        sum->term[at] = *t;
        return true;
    }
    if (!mc_add_i64(sum->term[at].number, t->number, &sum->term[at].number)) return false;
    if (sum->term[at].number == 0) {
        memmove(&sum->term[at], &sum->term[at + 1], (size_t)(--sum->n - at) * sizeof *t);
        memset(&sum->term[sum->n], 0, sizeof *t);
    }
    return true;
}

static bool multiply_terms(const struct term *a, const struct term *b, struct term *product)
{
    *product = (struct term){.n = a->n + b->n};
    if (product->n > MOST_FACTORS || !mc_mul_i64(a->number, b->number, &product->number)) return false;
    for (int i = 0, j = 0; i + j < product->n;)
        if (j == b->n || (i < a->n && a->atom[i] <= b->atom[j])) {
            product->atom[i + j] = a->atom[i];
            i++;
        } else {
            product->atom[i + j] = b->atom[j];
            j++;
        }
    return true;
}

mc_symbol mc_symbol_multiply(struct mc_symbols *s, mc_symbol a, mc_symbol b)
{
    struct sum product = {0};
    if (!a || !b) return MC_SYMBOL_UNKNOWN;
    const struct sum *x = sum_of(s, a), *y = sum_of(s, b);
    for (int i = 0; i < x->n; i++)
        for (int j = 0; j < y->n; j++) {
            struct term t;
            if (!multiply_terms(&x->term[i], &y->term[j], &t) || !add_term(&product, &t)) return MC_SYMBOL_UNKNOWN;
        }
    return store(s, &product);
}

mc_symbol mc_symbol_add(struct mc_symbols *s, mc_symbol a, mc_symbol b)
{
    if (!a || !b) return MC_SYMBOL_UNKNOWN;
    struct sum sum = *sum_of(s, a);
    const struct sum *y = sum_of(s, b);
    for (int j = 0; j < y->n; j++)
        if (!add_term(&sum, &y->term[j])) return MC_SYMBOL_UNKNOWN;
    return store(s, &sum);
}

mc_symbol mc_symbol_times(struct mc_symbols *s, mc_symbol a, int64_t number)
{
    return mc_symbol_multiply(s, a, mc_symbol_number(s, number));
}

mc_symbol mc_symbol_plus(struct mc_symbols *s, mc_symbol a, int64_t number)
{
    return mc_symbol_add(s, a, mc_symbol_number(s, number));
}

mc_symbol mc_symbol_subtract(struct mc_symbols *s, mc_symbol a, mc_symbol b)
{
    return mc_symbol_add(s, a, mc_symbol_times(s, b, -1));
}

/* --- quotients --- */

static int64_t floor_of(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* t / by, if that leaves no remainder; by.number > 0 */
static bool divide_term(const struct term *t, const struct term *by, struct term *quotient)
{
    *quotient = (struct term){.number = t->number / by->number};
    if (t->number % by->number) return false;
    int j = 0;
    for (int i = 0; i < t->n; i++)
        if (j < by->n && t->atom[i] == by->atom[j])
            j++;
        else
            quotient->atom[quotient->n++] = t->atom[i];
    return j == by->n;
}

/* What of the sum can be divided by one term, and the rest. Of a number that is divided by a number the rest is less
 * than it. */
static void divide_sum(const struct sum *sum, const struct term *by, struct sum *quotient, struct sum *rest)
{
    *quotient = *rest = (struct sum){0};
    for (int i = 0; i < sum->n; i++) {
        const struct term *t = &sum->term[i];
        struct term part, left = *t;
        if (divide_term(t, by, &part)) {
            add_term(quotient, &part);
        } else if (t->n == 0 && by->n == 0) {
            part = (struct term){.number = floor_of(t->number, by->number)};
            left.number -= part.number * by->number;
            add_term(quotient, &part);
            add_term(rest, &left);
        } else {
            add_term(rest, t);
        }
    }
}

static struct range range_of_quotient(struct range a, struct range b)
{
    if (a.low < 0) return anything;
    return (struct range){b.high == INT64_MAX ? 0 : a.low / b.high, a.high == INT64_MAX ? INT64_MAX : a.high / b.low};
}

/* Is it floor(x / y) + number? */
static const struct atom *as_quotient(const struct mc_symbols *s, const struct sum *sum, int64_t *number)
{
    *number = sum->n == 2 && sum->term[1].n == 0 ? sum->term[1].number : 0;
    if (sum->n != (*number ? 2 : 1) || sum->term[0].n != 1 || sum->term[0].number != 1) return NULL;
    const struct atom *atom = &s->atoms[sum->term[0].atom[0]];
    return atom->kind == QUOTIENT ? atom : NULL;
}

/* floor((floor(x / y) + n) / b) is floor((x + n y) / (y b)). */
static mc_symbol divide_rest(struct mc_symbols *s, const struct sum *rest, mc_symbol b)
{
    int64_t number;
    const struct atom *inner = as_quotient(s, rest, &number);
    if (inner) {
        const mc_symbol x = inner->a, y = inner->b;
        return mc_symbol_divide(s, mc_symbol_add(s, x, mc_symbol_times(s, y, number)), mc_symbol_multiply(s, y, b));
    }
    const mc_symbol a = store(s, rest);
    if (!a) return MC_SYMBOL_UNKNOWN;
    const struct range range = range_of_quotient(range_of(s, a), range_of(s, b));
    if (range.low == range.high) return mc_symbol_number(s, range.low);
    return store_atom(s, &(struct atom){.kind = QUOTIENT, .a = a, .b = b, .range = range});
}

mc_symbol mc_symbol_divide(struct mc_symbols *s, mc_symbol a, mc_symbol b)
{
    if (!a || !mc_symbol_at_least(s, b, 1)) return MC_SYMBOL_UNKNOWN;
    const struct sum *x = sum_of(s, a), *y = sum_of(s, b);
    struct sum quotient = {0}, rest = *x;
    if (a == b) return mc_symbol_number(s, 1);
    if (y->n == 1) divide_sum(x, &y->term[0], &quotient, &rest);
    const mc_symbol whole = store(s, &quotient);
    return rest.n ? mc_symbol_add(s, whole, divide_rest(s, &rest, b)) : whole;
}

mc_symbol mc_symbol_divide_up(struct mc_symbols *s, mc_symbol a, mc_symbol b)
{
    return mc_symbol_divide(s, mc_symbol_plus(s, mc_symbol_add(s, a, b), -1), b);
}

/* --- extremes --- */

static mc_symbol extreme(struct mc_symbols *s, enum kind kind, mc_symbol a, mc_symbol b)
{
    const mc_symbol difference = mc_symbol_subtract(s, a, b);
    if (!difference) return MC_SYMBOL_UNKNOWN;
    const struct range r = range_of(s, difference);
    if (r.low >= 0) return kind == GREATEST ? a : b;
    if (r.high <= 0) return kind == GREATEST ? b : a;
    const struct range x = range_of(s, a), y = range_of(s, b);
    const bool low = (x.low > y.low) == (kind == GREATEST), high = (x.high > y.high) == (kind == GREATEST);
    return store_atom(s, &(struct atom){.kind = kind,
                                        .a = a < b ? a : b,
                                        .b = a < b ? b : a,
                                        .range = {low ? x.low : y.low, high ? x.high : y.high}});
}

mc_symbol mc_symbol_least(struct mc_symbols *s, mc_symbol a, mc_symbol b)
{
    return extreme(s, LEAST, a, b);
}

mc_symbol mc_symbol_greatest(struct mc_symbols *s, mc_symbol a, mc_symbol b)
{
    return extreme(s, GREATEST, a, b);
}

/* --- values --- */

static bool value_of_atom(const struct mc_symbols *s, const struct atom *atom, mc_symbol_extent_fn *extent,
                          void *context, int64_t *value)
{
    int64_t a, b;
    if (atom->kind == NAMED) {
        *value = extent(context, atom->name);
        return true;
    }
    if (!mc_symbol_value(s, atom->a, extent, context, &a) || !mc_symbol_value(s, atom->b, extent, context, &b))
        return false;
    if (atom->kind == QUOTIENT)
        *value = floor_of(a, b);
    else
        *value = (a < b) == (atom->kind == LEAST) ? a : b;
    return true;
}

bool mc_symbol_value(const struct mc_symbols *s, mc_symbol a, mc_symbol_extent_fn *extent, void *context,
                     int64_t *value)
{
    if (a == MC_SYMBOL_UNKNOWN) return false;
    const struct sum *sum = sum_of(s, a);
    *value = 0;
    for (int i = 0; i < sum->n; i++) {
        int64_t product = sum->term[i].number, factor;
        for (int k = 0; k < sum->term[i].n; k++)
            if (!value_of_atom(s, &s->atoms[sum->term[i].atom[k]], extent, context, &factor) ||
                !mc_mul_i64(product, factor, &product))
                return false;
        if (!mc_add_i64(*value, product, value)) return false;
    }
    return true;
}

/* --- text --- */

static bool is_one_word(const struct mc_symbols *s, mc_symbol a)
{
    const struct sum *sum = sum_of(s, a);
    return sum->n == 0 || (sum->n == 1 && sum->term[0].n == (sum->term[0].number == 1));
}

static void print_operand(const struct mc_symbols *s, mc_symbol a, struct mc_buf *out)
{
    const bool bare = is_one_word(s, a);
    if (!bare) mc_buf_puts(out, "(");
    mc_symbol_print(s, a, out);
    if (!bare) mc_buf_puts(out, ")");
}

static void print_atom(const struct mc_symbols *s, const struct atom *atom, struct mc_buf *out)
{
    if (atom->kind == NAMED) {
        mc_buf_puts(out, atom->name);
    } else if (atom->kind == QUOTIENT) {
        mc_buf_puts(out, "floor(");
        print_operand(s, atom->a, out);
        mc_buf_puts(out, "/");
        print_operand(s, atom->b, out);
        mc_buf_puts(out, ")");
    } else {
        mc_buf_puts(out, atom->kind == LEAST ? "min(" : "max(");
        mc_symbol_print(s, atom->a, out);
        mc_buf_puts(out, ", ");
        mc_symbol_print(s, atom->b, out);
        mc_buf_puts(out, ")");
    }
}

static void print_term(const struct mc_symbols *s, const struct term *t, bool first, struct mc_buf *out)
{
    const bool minus = t->number < 0;
    if (!first) mc_buf_puts(out, minus ? " - " : " + ");
    if (first && minus) mc_buf_puts(out, "-");
    const uint64_t size = minus ? 0 - (uint64_t)t->number : (uint64_t)t->number;
    if (size != 1 || t->n == 0) mc_buf_printf(out, "%" PRIu64 "%s", size, t->n ? "*" : "");
    for (int k = 0; k < t->n; k++) {
        if (k) mc_buf_puts(out, "*");
        print_atom(s, &s->atoms[t->atom[k]], out);
    }
}

void mc_symbol_print(const struct mc_symbols *s, mc_symbol a, struct mc_buf *out)
{
    if (a == MC_SYMBOL_UNKNOWN) {
        mc_buf_puts(out, "?");
        return;
    }
    const struct sum *sum = sum_of(s, a);
    if (sum->n == 0) mc_buf_puts(out, "0");
    for (int i = 0; i < sum->n; i++) print_term(s, &sum->term[i], i == 0, out);
}
