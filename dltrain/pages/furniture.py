"""How pages look, and the script by which charts tell their values."""

from __future__ import annotations

from dltrain.report.svg import DARK, LIGHT
from dltrain.report.svg import STYLE as FIGURES

COLOURS = "--paper:{paper};--ink:{ink};--dim:{dim};--grid:{grid}"
STYLE = f"""{FIGURES}
:root{{{COLOURS.format(**LIGHT)};--mark:#005a94;--bad:#b00020;--soft:#f4f6f8;color-scheme:light dark}}
@media(prefers-color-scheme:dark){{:root{{{COLOURS.format(**DARK)};--mark:#7cc4f5;--bad:#ff8a94;--soft:#1d2126}}}}
*{{box-sizing:border-box}}
body{{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}}
header,nav,main,footer{{max-width:62rem;margin:0 auto;padding:0 1rem}}
h1{{font-size:1.7rem;margin:1.2rem 0 .2rem}}
h2{{font-size:1.25rem;margin:2.2rem 0 .6rem;border-top:1px solid var(--grid);padding-top:.9rem}}
h3{{font-size:1rem;margin:1.2rem 0 .4rem}}p{{margin:.4rem 0}}a{{color:var(--mark)}}
nav ul{{display:flex;flex-wrap:wrap;gap:.2rem .9rem;list-style:none;padding:0;margin:.6rem 0}}
:focus-visible{{outline:3px solid var(--mark);outline-offset:2px}}
.skip{{position:absolute;left:-99rem}}.skip:focus{{left:1rem;top:.5rem;background:var(--paper);padding:.4rem}}
.note,figcaption,caption{{color:var(--dim);font-size:.87rem;text-align:left}}
.wide,.chart{{overflow-x:auto;max-width:100%}}
.wide{{max-height:26rem;overflow-y:auto}}
table{{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}}
th,td{{text-align:left;padding:.22rem .8rem .22rem 0;border-bottom:1px solid var(--grid);
vertical-align:top;unicode-bidi:isolate;overflow-wrap:break-word}}
th{{color:var(--dim);font-weight:600}}td:first-child:not(.n){{min-width:8rem}}
.n{{text-align:right;white-space:nowrap}}
dl{{display:grid;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));gap:.5rem 1rem;margin:.6rem 0}}
dl div{{background:var(--soft);border-radius:.4rem;padding:.45rem .7rem}}
dt{{color:var(--dim);font-size:.82rem}}dd{{margin:0;font-weight:600}}
figure{{margin:.8rem 0 1.4rem}}figure svg{{display:block;max-width:100%;min-width:30rem;height:auto}}
output{{display:block;min-height:1.5em;font-size:.9rem;color:var(--dim)}}
details{{margin:.2rem 0}}summary{{cursor:pointer;color:var(--mark);font-size:.87rem}}
pre{{white-space:pre-wrap;background:var(--soft);border-radius:.4rem;padding:.7rem;font-size:.87rem}}
.pictures{{display:flex;flex-wrap:wrap;gap:.8rem}}.pictures figure{{margin:0;max-width:9rem}}
img{{max-width:100%;image-rendering:pixelated;background:#fff;vertical-align:top}}.small{{width:6rem;height:auto}}
.fault,.doubt{{border-left:.3rem solid var(--bad);padding-left:.7rem;margin:.8rem 0}}.doubt{{border-color:#e07b00}}
.on{{stroke:var(--ink);stroke-opacity:.75;stroke-width:2}}
@media(max-width:40rem){{body{{font-size:15px}}dl{{grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr))}}}}
@media print{{nav,.skip,output{{display:none}}.wide{{max-height:none;overflow:visible}}figure,tr{{break-inside:avoid}}
details::details-content{{content-visibility:visible;block-size:auto}}figure details{{display:none}}}}
"""

# the spots of a chart are what holds a <title>: the pointer and the arrow keys go from one to the next
TELL = """'use strict';
const spotsOf = chart => [...chart.querySelectorAll('svg title')].map(title => title.parentNode);
function tell(chart, spot) {
  for (const old of chart.querySelectorAll('.on')) old.classList.remove('on');
  spot.classList.add('on');
  chart.parentNode.querySelector('output').textContent = spot.querySelector('title').textContent;
}
document.addEventListener('pointerover', event => {
  const chart = event.target.closest('.chart'), spot = event.target;
  if (chart && spot.firstElementChild && spot.firstElementChild.localName === 'title') tell(chart, spot);
});
document.addEventListener('keydown', event => {
  const chart = event.target, step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
  if (!step || !chart.classList.contains('chart')) return;
  const spots = spotsOf(chart), now = spots.findIndex(spot => spot.classList.contains('on'));
  if (!spots.length) return;
  event.preventDefault();
  const next = spots[Math.min(spots.length - 1, Math.max(0, now + step))];
  tell(chart, next);
  next.scrollIntoView({block: 'nearest', inline: 'nearest'});
});
"""
