// Writes files/*.parquet: the same table by another program (arrow-rs, as WebAssembly) in every codec, page version and
// encoding that we read; parquet.test.ts has the numbers. Run in an empty folder beside it:
//   npm install parquet-wasm@0.8.0 apache-arrow@21 && node path/to/write-files.mjs
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const arrow = require("apache-arrow");
const parquet = require("parquet-wasm");
const { Field, List, Struct } = arrow;
const rows = 40;
const each = (make) => Array.from({ length: rows }, (_, row) => make(row));
const vector = (values, type) => arrow.vectorFromArray(values, type);
const list = (type) => new List(new Field("item", type, true));

const columns = {
  bool: vector(
    each((i) => i % 3 === 0),
    new arrow.Bool(),
  ),
  int8: vector(
    each((i) => i - 20),
    new arrow.Int8(),
  ),
  uint8: vector(
    each((i) => (i * 37) % 256),
    new arrow.Uint8(),
  ),
  int16: vector(
    each((i) => i * 1000 - 20000),
    new arrow.Int16(),
  ),
  uint16: vector(
    each((i) => i * 1600),
    new arrow.Uint16(),
  ),
  int32: vector(
    each((i) => (i - 20) * 100_000_000),
    new arrow.Int32(),
  ),
  uint32: vector(
    each((i) => i * 100_000_000),
    new arrow.Uint32(),
  ),
  int64: vector(
    each((i) => (BigInt(i) - 20n) * 10n ** 17n),
    new arrow.Int64(),
  ),
  uint64: vector(
    each((i) => BigInt(i) * 4n * 10n ** 17n),
    new arrow.Uint64(),
  ),
  float32: vector(
    each((i) => Math.fround(i / 7)),
    new arrow.Float32(),
  ),
  float64: vector(
    each((i) => i / 7),
    new arrow.Float64(),
  ),
  float16: vector(
    each((i) => i / 8 - 2),
    new arrow.Float16(),
  ),
  few: vector(
    each((i) => i % 4),
    new arrow.Int32(),
  ),
  list: vector(
    each((i) => [i / 8, -i, 1]),
    list(new arrow.Float32()),
  ),
  matrix: vector(
    each((i) => [
      [i, i + 1, 2],
      [3, 4, -i],
    ]),
    list(list(new arrow.Int32())),
  ),
  ragged: vector(
    each((i) => Array.from({ length: i % 3 }, () => i)),
    list(new arrow.Int32()),
  ),
  gaps: vector(
    each((i) => (i === 25 ? null : i)),
    new arrow.Int32(),
  ),
  text: vector(
    each((i) => `row ${i}`),
    new arrow.Utf8(),
  ),
};
const table = new arrow.Table(columns);
mkdirSync("files", { recursive: true });

function write(name, data, settings) {
  const builder = settings(new parquet.WriterPropertiesBuilder().setCreatedBy("test"));
  const wasm = parquet.Table.fromIPCStream(arrow.tableToIPC(data, "stream"));
  writeFileSync(`files/${name}.parquet`, parquet.writeParquet(wasm, builder.build()));
}

const { Compression, Encoding, WriterVersion } = parquet;
const small = (builder) => builder.setDataPageSizeLimit(64).setWriteBatchSize(16).setMaxRowGroupSize(24);
for (const [name, codec] of Object.entries({
  uncompressed: Compression.UNCOMPRESSED,
  snappy: Compression.SNAPPY,
  gzip: Compression.GZIP,
  zstd: Compression.ZSTD,
  lz4: Compression.LZ4_RAW,
})) {
  write(name, table, (builder) => small(builder).setCompression(codec));
  write(`${name}-2`, table, (builder) => small(builder).setCompression(codec).setWriterVersion(WriterVersion.V2));
}
write("brotli", table, (builder) => small(builder).setCompression(Compression.BROTLI));
write("plain", table, (builder) => small(builder).setDictionaryEnabled(false).setCompression(Compression.SNAPPY));

const numbers = (names) => new arrow.Table(Object.fromEntries(names.map((name) => [name, columns[name]])));
write("delta", numbers(["int32", "int64", "list"]), (builder) =>
  small(builder)
    .setDictionaryEnabled(false)
    .setCompression(Compression.UNCOMPRESSED)
    .setColumnEncoding("int32", Encoding.DELTA_BINARY_PACKED)
    .setColumnEncoding("int64", Encoding.DELTA_BINARY_PACKED),
);
write("split", numbers(["float32", "float64"]), (builder) =>
  small(builder).setDictionaryEnabled(false).setCompression(Compression.ZSTD).setEncoding(Encoding.BYTE_STREAM_SPLIT),
);

// A Hugging Face data set: encoded images, and names of classes in the note "huggingface".
const image = (name) => readFileSync(new URL(`../images/${name}`, import.meta.url));
const names = ["rgb.png", "grey.png", "palette-4.png", "rgba.png", "interlaced-rgb.png"];
const photos = new arrow.Table({
  image: vector(
    names.map((path) => ({ bytes: image(path), path })),
    new Struct([new Field("bytes", new arrow.Binary(), true), new Field("path", new arrow.Utf8(), true)]),
  ),
  label: vector([2n, 0n, 1n, 0n, 2n], new arrow.Int64()),
});
const features = {
  image: { _type: "Image" },
  label: { names: ["cat", "dog", "eel"], _type: "ClassLabel" },
};
write("photos", photos, (builder) =>
  builder
    .setCompression(Compression.SNAPPY)
    .setMaxRowGroupSize(2)
    .setKeyValueMetadata(new Map([["huggingface", JSON.stringify({ info: { features } })]])),
);
