/* page_style.c - the style sheet of the page; see page_style.h.
 *
 * Text has a contrast of at least 4.5 to 1 on its ground, in light and in dark (WCAG 2.2, 1.4.3). Nothing is said by
 * colour alone.
 */
#include "report/page_style.h"

#include <stddef.h>

const char *const mc_page_style[] = {
    /* colours: ink on ground; the original is grey, the result blue */
    ":root{color-scheme:light dark;--ground:#fff;--panel:#f5f7f9;--ink:#1b2026;--soft:#57606a;--line:#d9dee4;",
    "--before:#78828d;--after:#1d5fbf;--third:#9a5b00;--good:#1a7037;--bad:#b3261e;--tint:29,95,191;--warm:179,38,30}",
    "@media(prefers-color-scheme:dark){:root{--ground:#101418;--panel:#181d23;--ink:#e3e8ed;--soft:#9ca7b3;",
    "--line:#2f373f;--before:#8b96a1;--after:#76adff;--third:#e0a458;--good:#5cc981;--bad:#ff8a82;",
    "--tint:118,173,255;--warm:230,120,112}}",

    /* the page */
    "*{box-sizing:border-box}html{scroll-padding-top:3rem;-webkit-text-size-adjust:100%}",
    "body{margin:0 auto;max-width:74rem;padding:0 1rem 3rem;background:var(--ground);color:var(--ink);",
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;",
    "font-variant-numeric:tabular-nums}",
    "h1{font-size:1.7rem;line-height:1.2;margin:.2rem 0 .4rem;overflow-wrap:anywhere}",
    "h2{font-size:1.15rem;margin:2.4rem 0 .7rem;padding-top:.7rem;border-top:1px solid var(--line)}",
    "h3{font-size:.95rem;margin:1.3rem 0 .4rem}p{margin:.4rem 0}",
    "a{color:var(--after)}code{font:.92em ui-monospace,SFMono-Regular,Menlo,'DejaVu Sans Mono',monospace;",
    "overflow-wrap:anywhere}",
    ".soft,.kicker{color:var(--soft)}.kicker{margin:0}.good{color:var(--good)}.bad{color:var(--bad)}",
    ":focus-visible{outline:2px solid var(--after);outline-offset:2px}",

    /* the verdict and the way to the rest */
    "header{margin:1.2rem 0 1rem;padding:1rem 1.2rem;background:var(--panel);border-left:6px solid var(--before)}",
    "header.held{border-color:var(--good)}header.failed{border-color:var(--bad)}",
    ".held h1{color:var(--good)}.failed h1{color:var(--bad)}.lead{font-size:1.08rem}",
    "nav{position:sticky;top:0;z-index:1;background:var(--ground);border-bottom:1px solid var(--line);",
    "padding:.5rem 0;display:flex;gap:.2rem 1.1rem;overflow-x:auto;white-space:nowrap;font-size:.92rem}",
    "nav a{text-decoration:none}nav a:hover{text-decoration:underline}",

    /* headline figures */
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.4rem,1fr));gap:.7rem;margin:1rem 0}",
    ".tile{border:1px solid var(--line);border-radius:4px;padding:.6rem .8rem}",
    ".tile dt{color:var(--soft);font-size:.86rem}.tile dd{margin:0}.tile .now{font-size:1.3rem;font-weight:600}",
    ".tile .was{color:var(--soft);font-size:.86rem}",

    /* tables: they scroll by themselves where they are too wide, the page never does */
    ".wide{overflow-x:auto;max-width:100%}table{border-collapse:collapse;font-size:.92rem;line-height:1.35}",
    "th,td{padding:.28rem .7rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}",
    "th{font-weight:600;color:var(--soft)}thead th{vertical-align:bottom}tbody th{font-weight:400;color:var(--ink)}",
    "th:first-child,td:first-child{text-align:left;padding-left:0}.text{text-align:left}",
    "td.why{white-space:normal;min-width:14rem}tr.was td{color:var(--soft)}.now td,.now th{font-weight:600}",
    ".bar{display:block;height:4px;margin-top:3px;border-radius:2px;min-width:4.5rem;",
    "background:linear-gradient(90deg,var(--after) var(--w),var(--line) var(--w))}",
    ".heat td,.heat th{padding:.2rem .5rem;text-align:center;border:1px solid var(--line)}",
    ".heat th:first-child{text-align:right}.heat td.hit{background:rgba(var(--tint),var(--a))}",
    ".heat td.miss{background:rgba(var(--warm),var(--a))}.zero{color:var(--soft)}",

    /* pictures */
    ".charts{display:flex;flex-wrap:wrap;gap:1rem "
    "1.6rem;align-items:flex-start}figure{margin:0;min-width:0;max-width:100%}",
    "figcaption{font-weight:600;font-size:.92rem}svg{display:block;font-size:11px;max-width:none}",
    "svg text{fill:var(--ink)}svg .tick{fill:var(--soft)}.axes path{stroke:var(--line);fill:none}",
    ".before{--c:var(--before)}.after{--c:var(--after)}.third{--c:var(--third)}",
    ".line{fill:none;stroke:var(--c);stroke-width:1.6;stroke-linejoin:round}.full{fill:var(--c)}",
    ".hollow{fill:var(--ground);stroke:var(--c);stroke-width:1.6}circle:hover{stroke:var(--ink);stroke-width:2}",
    ".legend{font-size:.86rem;color:var(--soft);margin:.1rem 0}.legend span{margin-right:1rem}",
    ".legend "
    "i{display:inline-block;width:1.1em;height:.35em;border-radius:2px;margin-right:.4em;vertical-align:middle;",
    "background:var(--c)}",
    ".area{fill:var(--c);fill-opacity:.75}.outline{fill:none;stroke:var(--before)}",
    ".small{width:11.4rem}.small figcaption{font-weight:400;font-size:.8rem;overflow:hidden;text-overflow:ellipsis;",
    "white-space:nowrap}",

    /* the graph */
    ".graph{overflow:auto;max-height:75vh;border:1px solid var(--line);border-radius:4px;padding:.8rem}",
    ".graph svg{margin:0 auto}.edge{fill:none;stroke:var(--before);stroke-width:1.1}",
    ".box rect{fill:var(--panel);stroke:var(--before)}.box .shape{fill:var(--soft);font-size:10px}",
    ".box.narrower rect{stroke:var(--after);stroke-width:2}.box.sparser rect{stroke:var(--third);stroke-width:2;",
    "stroke-dasharray:6 2}.box.gone rect{stroke:var(--bad);stroke-dasharray:2 3}",
    ".box.new rect{stroke:var(--good);stroke-width:2}.box:hover rect{fill:rgba(var(--tint),.18)}",
    ".key{display:inline-block;width:1.7em;height:.9em;border:1px solid var(--before);border-radius:2px;",
    "vertical-align:-.1em;margin-right:.4em;background:var(--panel)}",
    ".key.narrower{border:2px solid var(--after)}.key.sparser{border:2px dashed var(--third)}",
    ".key.gone{border:1px dotted var(--bad)}.key.new{border:2px solid var(--good)}",

    /* what may be looked at */
    "details{margin:.6rem 0}summary{cursor:pointer;color:var(--after)}",
    "dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.5rem 0}",
    "dl.facts dt{color:var(--soft)}dl.facts dd{margin:0;overflow-wrap:anywhere}",

    "@media(max-width:36rem){body{padding:0 .7rem 2rem}h1{font-size:1.35rem}header{padding:.8rem}",
    ".tiles{grid-template-columns:repeat(2,1fr)}th,td{padding:.26rem .5rem}dl.facts{grid-template-columns:1fr}",
    "dl.facts dd{margin-bottom:.4rem}}",
    "@media print{:root{color-scheme:light}nav{display:none}body{max-width:none;padding:0;font-size:11px}",
    ".graph{max-height:none;overflow:visible}.graph svg{max-width:100%;height:auto}.wide{overflow:visible}",
    "section,figure,tr{break-inside:avoid-page}section{break-inside:auto}",
    ".bar,.hit,.miss,.legend i{-webkit-print-color-adjust:exact;print-color-adjust:exact}}",
    NULL,
};
