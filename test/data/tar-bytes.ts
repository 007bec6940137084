/** A tar file by hand, ustar: headers of 512 bytes with a checksum, contents padded to 512, two blocks of zeros. */
export function tarBytes(members: readonly (readonly [name: string, content: Uint8Array])[]): Uint8Array {
  return joined([...members.flatMap(([name, content]) => tarMember(name, content)), new Uint8Array(1024)]);
}

export function tarMember(name: string, content: Uint8Array, change: (header: Uint8Array) => void = () => {}) {
  const header = new Uint8Array(512);
  put(header, 0, name);
  put(header, 100, "0000644\0");
  put(header, 124, `${content.length.toString(8).padStart(11, "0")}\0`);
  put(header, 156, "0");
  put(header, 257, "ustar\x0000");
  change(header);
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(header, 148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return [header, content, new Uint8Array((512 - (content.length % 512)) % 512)];
}

export function put(bytes: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
