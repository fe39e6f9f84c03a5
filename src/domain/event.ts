/** The words of `tstevent.event`; the first three are those of the service's first version. */
export const events = { refresh: '2000', invalidate: '2001', saved: '2002', claim: '2010', restart: '2011', term: '2012', seal: '2013' } as const;

/** The words of `tstevent.status`; 4000 to 4003 are those of the service's first version. */
export const statuses = {
  refreshFailed: '4000',
  refreshed: '4001',
  invalidated: '4002',
  saved: '4003',
  inDoubt: '4010',
  stopped: '4011',
  dead: '4012',
  released: '4013',
  restarted: '4014',
  began: '4015',
  lapsed: '4016',
} as const;

export interface HistoryEvent {
  /** What the event is about, such as `owner:gw1 token:42`; at most 200 characters. */
  readonly job: string;
  readonly event: (typeof events)[keyof typeof events];
  readonly status: (typeof statuses)[keyof typeof statuses];
  /** At most 400 characters; never a token or a secret. */
  readonly text: string;
}
