// The one way in which starting is refused: a sentence for the person at the terminal, shown without a stack.

/** What is wrong and what to do about it, in one or two sentences. */
export class StartError extends Error {
  constructor(sentence: string, options: { cause?: unknown } = {}) {
    super(sentence, options);
    this.name = 'StartError';
  }
}

/** What a failed system call means to the person at the terminal, or null when it is nothing that we know. */
export function explainSystemError(error: unknown, doing: string): string | null {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return `The disk is full: ${doing} failed. Free some space and start again.`;
  if (code === 'EROFS')
    return `The disk is read-only: ${doing} failed. Set WAYPOST_DATA_DIR to a directory on a disk that can be written.`;
  if (code === 'EACCES' || code === 'EPERM') {
    return `Permission denied: ${doing} failed. Set WAYPOST_DATA_DIR to a directory that this user may write.`;
  }
  if (code === 'ENOENT')
    return `No directory can be made there: ${doing} failed. Set WAYPOST_DATA_DIR to a directory on a disk.`;
  if (code === 'ENOTDIR' || code === 'EEXIST')
    return `A file stands in the way: ${doing} failed. Set WAYPOST_DATA_DIR to a directory.`;
  return null;
}
