/** Files of a folder, however it came: dropped, or chosen. Paths are below the folder; hidden files are left out. */

export interface Folder {
  readonly name: string;
  readonly files: Map<string, File>;
}

const FILES_MAX = 1_000;

const isHidden = (path: string): boolean => path.split('/').some((part) => part.startsWith('.') || part === '__pycache__');

export function fromInput(list: FileList): Folder {
  const files = new Map<string, File>();
  let name = '';
  for (const file of list) {
    const [folder = '', ...rest] = file.webkitRelativePath.split('/');
    const path = rest.length > 0 ? rest.join('/') : file.name;
    if (rest.length > 0) name = folder;
    if (!isHidden(path)) files.set(path, file);
  }
  return checked({ name, files });
}

export async function fromDrop(transfer: DataTransfer): Promise<Folder> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const [only] = entries;
  const files = new Map<string, File>();
  if (entries.length === 1 && only?.isDirectory === true) {
    for (const child of await children(only as FileSystemDirectoryEntry)) await walk(child, '', files);
    return checked({ name: only.name, files });
  }
  for (const entry of entries) await walk(entry, '', files);
  return checked({ name: '', files });
}

async function walk(entry: FileSystemEntry, prefix: string, files: Map<string, File>): Promise<void> {
  const path = `${prefix}${entry.name}`;
  if (isHidden(path)) return;
  if (entry.isDirectory) {
    for (const child of await children(entry as FileSystemDirectoryEntry)) await walk(child, `${path}/`, files);
  } else {
    files.set(path, await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)));
  }
}

async function children(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  // A reader gives a hundred at a time and then none.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

function checked(folder: Folder): Folder {
  if (folder.files.size === 0) throw new Error('The folder has no files.');
  if (folder.files.size > FILES_MAX) throw new Error(`The folder has ${folder.files.size} files; a version has ${FILES_MAX} at most.`);
  return folder;
}
