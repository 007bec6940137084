import decoder, { type MozJPEGModule } from "@jsquash/jpeg/codec/dec/mozjpeg_dec.js";
import { DataError } from "../errors.ts";
import type { Files } from "./byte-file.ts";
import { checkedSize, type Image } from "./image.ts";
import { parseJpegHeader } from "./jpeg-header.ts";

const webAssembly = "@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm";

/** A block of 8 × 8 pixels takes a bit or more, and with sampling factors 4 × 1 and 1 × 4 a block covers 16 × 8. */
const pixelsInByte = 8 * 16 * 8;

/** What libjpeg says of oddities that change no pixel. It says only the first thing that it notices of an image. */
const harmless = /extraneous bytes before marker|unknown JFIF revision|Invalid SOS parameters/;

let compiling: Promise<WebAssembly.Module | undefined> | undefined;
let starting: Promise<MozJPEGModule> | undefined;
let messages: string[] = [];

export function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8;
}

/**
 * A baseline or progressive JPEG file, decoded by libjpeg (mozjpeg as WebAssembly): the same pixels, bit for bit, that
 * Pillow and OpenCV have with libjpeg-turbo's defaults (accurate integer transform, smooth chroma upsampling).
 * Throws DataError for damaged files, also those whose missing part libjpeg would paint grey.
 */
export async function decodeJpeg(bytes: Uint8Array, label: string, wasm: Files["wasm"]): Promise<Image> {
  const { width, height } = parseJpegHeader(bytes, label);
  checkedSize({ width, height }, bytes.length, pixelsInByte, label);
  const rgba = decode(await (starting ??= start(wasm)), bytes, label);
  const size = width * height;
  if (rgba.length !== 4 * size) {
    throw new DataError(`${label}: damaged JPEG: expected ${size} pixels, have ${rgba.length / 4}.`);
  }
  const data = new Uint8Array(3 * size);
  for (let pixel = 0, from = 0; pixel < size; pixel++, from += 4) {
    data[pixel] = rgba[from]!;
    data[size + pixel] = rgba[from + 1]!;
    data[2 * size + pixel] = rgba[from + 2]!;
  }
  return { width, height, data };
}

/** Red, green, blue and 255 for each pixel. Synchronous: the messages are of this image. */
function decode(module: MozJPEGModule, bytes: Uint8Array, label: string): Uint8ClampedArray {
  messages = [];
  let rgba: Uint8ClampedArray | undefined;
  try {
    rgba = module.decode(bytes as Uint8Array<ArrayBuffer>, false)?.data;
  } catch (error) {
    // libjpeg exits at what it cannot read, and its stack is not unwound: another image needs another instance.
    starting = undefined;
    throw new DataError(`${label}: damaged JPEG: ${messages.at(-1) ?? (error as Error).message}.`);
  }
  const complaint = messages.find((message) => !harmless.test(message));
  if (rgba && complaint === undefined) return rgba;
  throw new DataError(`${label}: damaged JPEG: ${complaint ?? "it cannot be decoded"}.`);
}

async function start(wasm: Files["wasm"]): Promise<MozJPEGModule> {
  compiling ??= wasm(webAssembly).then((binary) => binary && WebAssembly.compile(binary));
  const compiled = await compiling;
  const instantiateWasm = (imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) => {
    const instance = new WebAssembly.Instance(compiled!, imports);
    done(instance);
    return instance.exports;
  };
  const options = {
    noInitialRun: true,
    printErr: (message: string) => messages.push(message),
    ...(compiled && { instantiateWasm }),
  };
  return decoder(options);
}
