/* junit.h - the gates of a record as the test results that continuous integration reads. */
#ifndef MC_REPORT_JUNIT_H
#define MC_REPORT_JUNIT_H

#include "base/buf.h"
#include "report/record.h"

/* A suite with a case for each gate, in the format of JUnit's XML reports as Jenkins, GitLab and GitHub's actions take
 * it (the schema that is kept with Jenkins' xunit plugin). A gate that does not hold is a failure. */
void mc_report_junit(const struct mc_record *record, struct mc_buf *out);

#endif
