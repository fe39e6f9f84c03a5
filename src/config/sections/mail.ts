import { z } from 'zod';

import { section } from '../leaf.ts';
import { flag, optionalText, secretText, wholeNumber } from '../leaves.ts';

export const mailSection = section(z.strictObject({
  host: optionalText('Mail server', { shown: 'none: no mail is sent', pattern: /^\S+$/, allowed: 'host name or address' }),
  port: wholeNumber('Port of the mail server; 465 is TLS from the start', 587, [1, 65_535]),
  username: optionalText('Name to log in with'),
  password: secretText('Password to log in with'),
  isStarttlsEnable: flag('Whether the connection must change to TLS', true),
  isAuth: flag('Whether to log in', true),
  from: optionalText('Sender of the mails', { pattern: /@/, allowed: 'mail address' }),
}));
