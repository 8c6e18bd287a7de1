//! The page's style sheet.

/// Light and dark, wide and narrow.
pub const STYLE: &str = r#"
:root{color-scheme:light dark;--page:#f9f9f7;--card:#fcfcfb;--ink:#0b0b0b;--soft:#52514e;--muted:#898781;--grid:#e6e5df;
--axis:#c3c2b7;--border:rgba(11,11,11,.10);--d0:#2a78d6;--d1:#eb6834;--d2:#4a3aa7;--d3:#e87ba4;--split:#1baf7a}
@media(prefers-color-scheme:dark){:root{--page:#0d0d0d;--card:#1a1a19;--ink:#fff;--soft:#c3c2b7;--muted:#898781;--grid:#2c2c2a;
--axis:#4a4944;--border:rgba(255,255,255,.10);--d0:#3987e5;--d1:#d95926;--d2:#9085e9;--d3:#d55181;--split:#199e70}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1200px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:26px;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:19px;margin:40px 0 4px}
h3{font-size:14px;font-weight:600;margin:0 0 2px}
p{margin:0 0 12px;color:var(--soft);max-width:75ch;overflow-wrap:anywhere}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(160px,1fr));gap:12px;margin:20px 0}
.tile,.panel{background:var(--card);border:1px solid var(--border);border-radius:10px;padding:14px}
.tile .label{font-size:13px;color:var(--soft)}
.tile .value{font-size:clamp(20px,6vw,30px);white-space:nowrap;font-weight:600;line-height:1.2;letter-spacing:-.02em}
.tile .note{font-size:12px;color:var(--muted)}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr));gap:12px}
.panel{min-width:0}
.panel svg{display:block;width:100%;height:auto}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;margin:8px 0 12px;font-size:13px;color:var(--soft)}
.legend i{display:inline-block;width:14px;height:3px;border-radius:2px;margin-right:6px;vertical-align:middle}
.legend i.point{width:9px;height:9px;border-radius:50%}
.legend i.d0,i.d0{background:var(--d0)}i.d1{background:var(--d1)}i.d2{background:var(--d2)}i.d3{background:var(--d3)}
i.split{background:var(--split)}i.auto{background:var(--ink)}
svg text{font:11px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--muted)}
svg text.name{fill:var(--ink);font-size:12px}svg text.soft{fill:var(--soft)}
svg text.mid{text-anchor:middle}svg text.end{text-anchor:end}
svg .grid{stroke:var(--grid);stroke-width:1}svg .axis{stroke:var(--axis);stroke-width:1}
svg .cross{stroke:var(--soft);stroke-width:1.2;stroke-dasharray:3 3}
svg .mean{stroke:var(--ink);stroke-width:2.5;stroke-linecap:round}
svg polyline{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
svg polyline.kernel{stroke-width:1.2;stroke-dasharray:2 3}
svg polyline.roof{stroke-width:1.6}svg polyline.cache{stroke-width:1.2;stroke-dasharray:4 3}
svg polyline.d0{stroke:var(--d0)}svg polyline.d1{stroke:var(--d1)}svg polyline.d2{stroke:var(--d2)}svg polyline.d3{stroke:var(--d3)}
svg polyline.split{stroke:var(--split)}
svg circle,svg rect{stroke:var(--card);stroke-width:1.2}
svg .d0:not(polyline){fill:var(--d0)}svg .d1:not(polyline){fill:var(--d1)}svg .d2:not(polyline){fill:var(--d2)}
svg .d3:not(polyline){fill:var(--d3)}svg .split:not(polyline){fill:var(--split)}svg circle.auto{fill:var(--ink)}
svg circle.faint{fill-opacity:.55}
.scroll{overflow-x:auto;border:1px solid var(--border);border-radius:10px;background:var(--card)}
table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:6px 10px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--grid)}
th{font-weight:600;color:var(--soft)}tr:last-child td{border-bottom:0}
th:first-child,td:first-child,td.text,th.text{text-align:left}
td.why{white-space:normal;min-width:260px;text-align:left;color:var(--soft)}
footer{margin-top:40px;font-size:12px;color:var(--muted)}
"#;
