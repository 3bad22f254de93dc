// Every word of the client. Their first words stand in cli/words.txt, by which the launcher knows them.

import { eventsCompare } from './compare.ts';
import { deadLettersList, deadLettersRedrive, deadLettersShow } from './dead-letters.ts';
import {
  endpointsCreate,
  endpointsDelete,
  endpointsList,
  endpointsPause,
  endpointsResume,
  endpointsSlo,
  endpointsTest,
  endpointsUpdate,
} from './endpoints.ts';
import { example, exampleJobs } from './example.ts';
import { endpointsHealth } from './health.ts';
import { jobsAssign, jobsCreate, jobsGet, jobsList, jobsReport, jobsWatch } from './jobs.ts';
import { listen } from './listen.ts';
import { replayCancel, replayList, replayStart, replayStatus } from './replay.ts';
import { endpointsAttempts, endpointsMessages, endpointsRotate, endpointsVerify } from './sent.ts';
import { eventsTail } from './tail.ts';
import { jobsTrace } from './trace.ts';
import { eventsProofs, eventsVerify } from './verify.ts';
import type { Word } from './word.ts';

export const words: Readonly<Record<string, Word>> = {
  'example job': example('job'),
  'example completion': example('completion'),
  'example endpoint': example('endpoint'),
  'example jobs': exampleJobs,
  'jobs create': jobsCreate,
  'jobs get': jobsGet,
  'jobs list': jobsList,
  'jobs watch': jobsWatch,
  'jobs trace': jobsTrace,
  'jobs assign': jobsAssign,
  'jobs report': jobsReport,
  'endpoints list': endpointsList,
  'endpoints health': endpointsHealth,
  'endpoints slo': endpointsSlo,
  'endpoints create': endpointsCreate,
  'endpoints update': endpointsUpdate,
  'endpoints verify': endpointsVerify,
  'endpoints test': endpointsTest,
  'endpoints messages': endpointsMessages,
  'endpoints attempts': endpointsAttempts,
  'endpoints rotate': endpointsRotate,
  'endpoints pause': endpointsPause,
  'endpoints resume': endpointsResume,
  'endpoints delete': endpointsDelete,
  'events tail': eventsTail,
  'events compare': eventsCompare,
  'events verify': eventsVerify,
  'events proofs': eventsProofs,
  listen,
  'dead-letters list': deadLettersList,
  'dead-letters show': deadLettersShow,
  'dead-letters redrive': deadLettersRedrive,
  'replay start': replayStart,
  'replay status': replayStatus,
  'replay cancel': replayCancel,
  'replay list': replayList,
};
