import assert from 'node:assert/strict';
import test from 'node:test';
import { belongsToBackup, listWalFiles } from './online-backup.ts';

const SEGMENT = 16 * 1024 * 1024;

test('the log of a backup is every file from its start to its stop', () => {
  assert.deepEqual(listWalFiles(1, SEGMENT, '0/2000028', '0/2000120'), ['000000010000000000000002']);
  assert.deepEqual(listWalFiles(1, SEGMENT, '0/2FFFFFF', '0/4000028'), [
    '000000010000000000000002',
    '000000010000000000000003',
    '000000010000000000000004',
  ]);
});

test('a stop at the end of a file does not ask for the next one', () => {
  assert.deepEqual(listWalFiles(1, SEGMENT, '0/2000028', '0/3000000'), ['000000010000000000000002']);
});

test('numbers go on over the end of the lower half', () => {
  assert.deepEqual(listWalFiles(1, SEGMENT, '0/FF000028', '1/100'), [
    '0000000100000000000000FF',
    '000000010000000100000000',
  ]);
});

test('a later timeline brings the file that says how it began', () => {
  assert.deepEqual(listWalFiles(10, SEGMENT, 'A/1000000', 'A/1000028'), [
    '0000000A.history',
    '0000000A0000000A00000001',
  ]);
});

test('what the server makes anew at its start is left out, and its directories stay', () => {
  const isCopied = (path: string) => belongsToBackup(path, false);
  for (const path of ['PG_VERSION', 'base/1/1259', 'global/pg_control', 'pg_xact/0000', 'base/5/pg_filenode.map'])
    assert.equal(isCopied(path), true, path);
  for (const path of [
    'postmaster.pid',
    'postmaster.opts',
    'backup_label',
    'base/5/pg_internal.init',
    'global/pg_internal.init',
  ])
    assert.equal(isCopied(path), false, path);
  for (const dir of ['pg_wal', 'pg_replslot', 'pg_stat_tmp', 'base/pgsql_tmp'])
    assert.equal(belongsToBackup(dir, true), false, dir);
  for (const dir of ['base', 'base/5', 'pg_xact', 'pg_multixact/members'])
    assert.equal(belongsToBackup(dir, true), true, dir);
});
