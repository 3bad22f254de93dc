// Write-back: what a transform made of an event is carried out as a request to a shop's, an ERP's or a CRM's API. Over the
// checked connections of HTTP; what the request and the answer mean is decided in writeback-request.ts.

import type { Answer, Destination, Flight, Posting, WritebackTarget } from './destination.ts';
import type { HttpDestination } from './http-destination.ts';
import { judgeReply, readCheck, readRequest, UnusableRequest, type WritebackRequest } from './writeback-request.ts';

export type WritebackPosting = Posting & { to: WritebackTarget };

export interface WritebackDestination extends Pick<Destination, 'close'> {
  post(posting: WritebackPosting, onAnswer: (answer: Answer) => void): Flight;
}

const NOT_SENT = { status: null, error: null, reply: null, retry_after: null, control: null, duration_ms: 0 };

/** `http` is closed by whoever opened it. */
export function openWritebackDestination(http: Pick<HttpDestination, 'post'>): WritebackDestination {
  return {
    post(posting, onAnswer) {
      const { to } = posting;
      const made = requestFor(posting);
      if ('outcome' in made) {
        setImmediate(() => onAnswer(made));
        return { callOff: () => {} };
      }
      const { origin, path, method, headers, body } = made;
      return http.post({ ...posting, to: { type: 'http', origin, path }, method, headers, body }, (answer) =>
        onAnswer(judgeReply(answer, to)),
      );
    },
    async close() {},
  };
}

function requestFor({ to, subject, body, headers }: WritebackPosting): WritebackRequest | Answer {
  try {
    if (subject.type === 'endpoint.test') return readCheck(to, headers);
    const request = readRequest(body.toString(), to, headers);
    return request ?? { ...NOT_SENT, outcome: 'delivered', reply: 'the transform asks for nothing' };
  } catch (error) {
    if (!(error instanceof UnusableRequest)) throw error;
    return { ...NOT_SENT, outcome: 'failed', error: error.message };
  }
}
