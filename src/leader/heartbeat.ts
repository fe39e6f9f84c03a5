import type { Term } from '../pool/term.ts';
import { silenceMs } from '../redis/feed-subscriber.ts';
import type { FeedPublisher } from '../redis/feed.ts';
import { Repeating } from '../runtime/lifecycle.ts';

/** Lets every node hear that the feed works, three times in the span of silence that would make it doubt. */
export function heartbeat(feed: FeedPublisher, term: Term): Repeating {
  return new Repeating('heartbeat', () => silenceMs / 3, () => feed.publish({ kind: 'beat', epoch: term.epoch }), () => undefined);
}
