import { normals } from "../sketch.ts";

/** Scores [samples, classes] of every kind that a softmax meets. */
export const classScores: Readonly<Record<string, readonly (readonly number[])[]>> = {
  ordinary: Array.from({ length: 4 }, (_, row) => Array.from({ length: 10 }, normals(row + 1))),
  "two classes": [
    [0.3, -0.2],
    [8, -9],
    [0, 0],
  ],
  uniform: [
    [1, 1, 1, 1, 1],
    [0, 0, 0, 0, 0],
  ],
  "tied for the largest": [
    [2, 2, -1, 2],
    [-3, 5, 5, 1],
  ],
  "the last class the likeliest": [
    [0, 1, 2, 6],
    [-2, -2, -2, 1],
  ],
  confident: [
    [14, 0, 1, -2, 0.5],
    [0, 0, 18, 0, 0],
    [-9, -9, -9, -9, 9],
  ],
  extreme: [
    [80, -80, 0, 10],
    [-80, 80, 80, -80],
    [-80, -80, -80, -79],
  ],
};

/** Scores of six tokens of four classes: likely, unlikely, tied and confident ones. */
export const sixTokens: readonly (readonly number[])[] = [
  [1, -0.5, 0.25, 2],
  [0, 0, 0, 0],
  [-1, 3, 0.5, 3],
  [9, -4, 0, 1],
  [0.5, 0.25, -2, 1],
  [-3, -3, 6, 2],
];
/** Their labels, in samples of three; −1 does not count. The last class's, too, must be told from −1. */
export const tokenLabels: readonly number[] = [3, -1, 1, 0, 3, -1];
