import type { Config } from "vega-lite";

/** Blue for what was measured, red for the one mark that a reader should compare it with. */
export const ink = { data: "#2b6ca3", mark: "#b8401f", text: "#1f2933", faint: "#616e7c", grid: "#e4e7eb" };

/** Colours of several series side by side, distinct without red against green (after Okabe and Ito, 2008). */
export const series = ["#2b6ca3", "#b8401f", "#3c8d6e", "#9a6fb0", "#c08a1e", "#5aa9d6", "#616e7c"];

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
  legend: {
    labelColor: ink.text,
    labelFontSize: 11,
    orient: "top",
    titleColor: ink.text,
    titleFontSize: 12,
    titleFontWeight: 400,
  },
  header: { labelColor: ink.text, labelFontSize: 12, titleColor: ink.text, titleFontSize: 12, titleFontWeight: 400 },
  range: { category: series },
  line: { color: ink.data, strokeWidth: 2 },
  point: { color: ink.data, filled: true, size: 50, opacity: 1 },
  rule: { color: ink.data, strokeWidth: 1.5 },
};
