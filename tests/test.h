/* test.h - cmocka with the headers that it wants before it. */
#ifndef MC_TESTS_TEST_H
#define MC_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compress/compress.h"

/* The call succeeds; else the test fails with the error's text. */
#define assert_ok(call, err)                                                                                           \
    do {                                                                                                               \
        if ((call) < 0) fail_msg("%s: %s", #call, (err).text);                                                         \
    } while (0)

#endif
