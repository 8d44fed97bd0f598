// Picture files as a call can carry them: photographs of today's cameras are larger than a message and than what a pipeline decodes.

export interface Fitted {
  readonly name: string;
  /** A PNG or JPEG file: the very file where it fits. */
  readonly bytes: Uint8Array;
  /** In pixels, where it was made smaller. */
  readonly shrunkTo?: { readonly width: number; readonly height: number };
}

interface Room {
  readonly bytes: number;
  readonly pixels: number;
}

/** Of all pictures of a call: an ingress message has 2 MiB, some of it for the rest of the call. */
const BYTES_MAX = 1_900_000;
/** Of all pictures of a call (`crates/pipeline/src/image.rs`). */
const PIXELS_MAX = 4 << 20;
/** Of a picture that does not fit as it is. Models take a few hundred pixels. */
const SIDE_MAX = 1_024;
const QUALITY = 0.92;

/** Each has the same share of what a call may carry. What is no picture goes as it is, to be refused by who says why. */
export function fit(files: readonly File[]): Promise<Fitted[]> {
  const room = { bytes: Math.floor(BYTES_MAX / files.length), pixels: Math.floor(PIXELS_MAX / files.length) };
  return Promise.all(files.map((file) => fitOne(file, room)));
}

async function fitOne(file: File, room: Room): Promise<Fitted> {
  const picture = await createImageBitmap(file).catch(() => undefined);
  const smaller = picture === undefined || (file.size <= room.bytes && picture.width * picture.height <= room.pixels) ? undefined : await shrink(picture, file.type, room);
  picture?.close();
  return smaller === undefined ? { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) } : { name: file.name, ...smaller };
}

/** Nothing where a picture of one pixel would not fit, or this browser draws none. */
async function shrink(picture: ImageBitmap, type: string, room: Room): Promise<Omit<Required<Fitted>, 'name'> | undefined> {
  for (let side = SIDE_MAX; side >= 1; side /= 2) {
    const scale = Math.min(1, side / Math.max(picture.width, picture.height));
    const [width, height] = [picture.width, picture.height].map((extent) => Math.max(1, Math.round(extent * scale))) as [number, number];
    if (width * height > room.pixels) continue;
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext('2d');
    if (context === null) return undefined;
    context.drawImage(picture, 0, 0, width, height);
    const blob = await canvas.convertToBlob({ type: type === 'image/png' ? type : 'image/jpeg', quality: QUALITY });
    if (blob.size <= room.bytes) return { bytes: new Uint8Array(await blob.arrayBuffer()), shrunkTo: { width, height } };
  }
  return undefined;
}
