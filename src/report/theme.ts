import type { Config } from "vega-lite";

/** Blue for what was measured, red for the one mark that a reader should compare it with. */
export const ink = { data: "#2b6ca3", mark: "#b8401f", text: "#1f2933", faint: "#616e7c", grid: "#e4e7eb" };

/** One look for all figures, on white in every colour scheme. */
export const theme: Config = {
  background: "white",
  font: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
  padding: 4,
  view: { stroke: null },
  title: {
    anchor: "start",
    color: ink.text,
    fontSize: 14,
    fontWeight: 600,
    offset: 12,
    subtitleColor: ink.faint,
    subtitleFontSize: 12,
    subtitlePadding: 5,
  },
  axis: {
    domainColor: ink.faint,
    gridColor: ink.grid,
    labelColor: ink.faint,
    labelFlush: false,
    labelFontSize: 11,
    tickColor: ink.faint,
    titleColor: ink.text,
    titleFontSize: 12,
    titleFontWeight: 400,
    titlePadding: 8,
  },
};
