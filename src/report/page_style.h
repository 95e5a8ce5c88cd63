/* page_style.h - the style sheet of the page. */
#ifndef MC_REPORT_PAGE_STYLE_H
#define MC_REPORT_PAGE_STYLE_H

/* Lines of CSS; ended by NULL. */
extern const char *const mc_page_style[];

#endif
