// What time it is where camd runs: a phone's clock may be minutes off, and ages are told by camd's.

const SLACK = 2;
let ahead = 0;

// camd has just said that it is *seconds* there; what the way took is not worth a correction.
export function itIs(seconds) {
  const found = seconds - Date.now() / 1000;
  if (Math.abs(found - ahead) > SLACK) ahead = found;
}

export const present = () => Date.now() / 1000 + ahead;
