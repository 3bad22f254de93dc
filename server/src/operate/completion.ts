// The word `completion`: what a shell needs to complete the words of the launcher, the client's included.

import { StartError } from '../db/start-error.ts';
import { nameWords, readClientWords } from './client-words.ts';
import type { Told, WordCall } from './word.ts';

const SHELLS = ['bash', 'zsh'];

/** `operatorWords`: the whole names of this program's words. */
export async function writeCompletion({ names }: WordCall, operatorWords: readonly string[]): Promise<Told> {
  const [shell = ''] = names;
  if (!SHELLS.includes(shell)) throw new StartError(`There is no completion for "${shell}": bash or zsh.`);
  const script = writeScript([...operatorWords, ...nameWords(readClientWords())]);
  const lines = [...(shell === 'zsh' ? ['autoload -U +X bashcompinit && bashcompinit'] : []), ...script];
  return { lines, value: { shell, script: lines.join('\n') } };
}

function writeScript(names: readonly string[]): string[] {
  const seconds = new Map<string, string[]>();
  for (const name of names) {
    const [first = '', second] = name.split(' ');
    seconds.set(first, [...(seconds.get(first) ?? []), ...(second === undefined ? [] : [second])]);
  }
  const cases = [...seconds].filter(([, below]) => below.length > 0);
  return [
    '_waypost() {',
    '  local words=""',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own.
    '  case "${COMP_CWORD}:${COMP_WORDS[1]}" in',
    `    1:*) words="${[...seconds.keys()].toSorted().join(' ')}" ;;`,
    ...cases.map(([first, below]) => `    2:${first}) words="${below.join(' ')}" ;;`),
    '  esac',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own.
    '  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))',
    '}',
    'complete -o default -F _waypost waypost ./waypost',
  ];
}
