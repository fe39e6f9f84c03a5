/** Knows what must not be seen, and finds it in whatever form it was written. */
export class SecretWatch {
  readonly #secrets = new Map<string, string>();

  /** @param name what to call the secret where it is found: it is never shown itself */
  guard(name: string, secret: string): string {
    this.#secrets.set(name, secret);
    return secret;
  }

  /** Where a text shows a secret, or a token of a provider of the harness, whether or not it was guarded; empty when it shows none. */
  leaksIn(place: string, text: string): string[] {
    const named = [...this.#secrets].flatMap(([name, secret]) => formsOf(secret).flatMap((form) => found(place, name, text, form)));
    const tokens = [...text.matchAll(/[ar]t_\d+_\d+_[\w-]+/g)].map(({ index }) => `${place}: a token ${context(text, index)}`);
    return [...new Set([...named, ...tokens])];
  }
}

/** In the clear, in a URL, in JSON, and inside of base64 at each of the three ways its bytes can fall. */
function formsOf(secret: string): string[] {
  const inBase64 = ['', 'x', 'xx'].map((before) => Buffer.from(before + secret).toString('base64').slice(before.length === 0 ? 0 : 4, -4));
  return [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), ...inBase64.filter((form) => form.length >= 8)];
}

function found(place: string, name: string, text: string, form: string): string[] {
  const index = text.indexOf(form);
  return index < 0 ? [] : [`${place}: ${name} ${context(text, index)}`];
}

/** What stands before it in its line, which is no secret as far as anybody knows. */
function context(text: string, index: number): string {
  const before = text.slice(Math.max(text.lastIndexOf('\n', index) + 1, index - 200), index);
  return `after "${before.replaceAll(/[ar]t_\d+_\d+_[\w-]+/g, '(another)')}"`;
}
