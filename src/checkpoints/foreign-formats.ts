/** What people have and is not read, by its first bytes, and what to do about it. */
const known: readonly { readonly begins: readonly number[]; readonly says: string }[] = [
  {
    // The long integer that torch.save wrote first.
    begins: [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19],
    says:
      "in the format of PyTorch before 1.6: expected a zip archive; " +
      "save it again with a newer one: torch.save(torch.load(path), path).",
  },
  { begins: [0x89, 0x48, 0x44, 0x46], says: "an HDF5 file: expected weights as .npz or .safetensors; save them so." },
  { begins: [0x47, 0x47, 0x55, 0x46], says: "a GGUF file: expected weights that are not quantized, as .safetensors." },
  {
    begins: [0x80],
    says: "a Python pickle: expected a file of torch.save, .safetensors or .npz; nothing in it was executed.",
  },
  {
    begins: [0x08],
    says: "an ONNX model, it seems: expected a file of weights; give the model as the first argument.",
  },
];

export function foreignFormat(head: Uint8Array): string | undefined {
  return known.find(({ begins }) => begins.every((byte, at) => head[at] === byte))?.says;
}
