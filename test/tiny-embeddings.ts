import { Sketch, type Sketched } from "./sketch.ts";

const N = 3;
const INT64 = 7;

/** Tokens of N sequences: some twice and more in one, one in all, one of the vocabulary in none. */
function tokens(vocabulary: number, length: number): number[] {
  return Array.from({ length: N * length }, (_, index) => (index * index + (index % 3)) % (vocabulary - 1));
}

/** tokens → table → ReLU of a dense layer over positions → dense. */
function embedded(seed: number, vocabulary: number, length: number): Sketched {
  const s = new Sketch(seed, [length]);
  const ids = s.op("Cast", ["x"], { to: INT64 });
  const rows = s.op("Gather", [s.table("tok", vocabulary, 3), ids]);
  const a = s.op("Relu", [s.op("Add", [s.op("MatMul", [rows, s.columns("a", 3, 4)]), s.random("a.bias", [4])])]);
  return s.done(
    s.op("Gemm", [s.op("Flatten", [a]), s.rows("c", [3, 4 * length])], { transB: 1 }),
    N,
    tokens(vocabulary, length),
  );
}

/** Embedding tables: features are rows with a one. */
export const tinyEmbeddings: Readonly<Record<string, () => Sketched>> = {
  "embedding, more tokens than positions": () => embedded(101, 9, 5),
  "embedding, fewer tokens than positions": () => embedded(102, 4, 6),
  "embedding, a token a sample": () => embedded(103, 5, 1),
  "embedding, one table for two inputs"() {
    const s = new Sketch(104, [6]);
    const ids = s.op("Cast", ["x"], { to: INT64 });
    const table = s.table("tok", 7, 3);
    const part = (begin: number, end: number) => {
      const cut = s.op("Slice", [ids, s.integers(begin), s.integers(end), s.integers(1)]);
      return s.op("Flatten", [s.op("Relu", [s.op("Gather", [table, cut])])]);
    };
    const both = s.op("Concat", [part(0, 4), part(4, 6)], { axis: 1 });
    return s.done(s.op("Gemm", [both, s.rows("c", [3, 18])], { transB: 1 }), N, tokens(7, 6));
  },
};
