// What can be done with a photo, among the others and on its own page.

import * as api from "./api.js";
import { h } from "./dom.js";
import { toast } from "./toast.js";
import { fullMoment, t } from "./words.js";

export async function star(photo) {
  const starred = !photo.starred;
  photo.starred = starred;
  try {
    Object.assign(photo, await api.changePhoto(photo.id, { starred }));
  } catch (error) {
    photo.starred = !starred;
    toast(api.because(error), "bad");
  }
}

export function download(photo) {
  const link = h("a", { href: api.downloadOf(photo.id), download: photo.path.split("/").pop() });
  document.body.append(link);
  link.click();
  link.remove();
}

// Deleting is for good, so it is asked for; a starred photo is kept until the star goes.
// *zone* is that of the photo's camera.
export async function remove(photo, zone) {
  if (photo.starred) {
    toast(t("starred-stay"), "bad");
    return false;
  }
  if (!confirm(t("delete-sure", { when: fullMoment(photo.when * 1000, zone) }))) return false;
  try {
    await api.deletePhoto(photo.id);
    toast(t("deleted"));
    return true;
  } catch (error) {
    toast(api.because(error), "bad");
    return false;
  }
}

