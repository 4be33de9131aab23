"use strict";
// One question before something is changed; the page holds the dialog.
function confirmed(question, yes) {
  const dialog = find("#asking");
  find("p", dialog).textContent = question;
  find("[value=yes]", dialog).textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((answer) => {
    dialog.onclick = ({ target }) => target.value && dialog.close(target.value);
    dialog.onclose = () => answer(dialog.returnValue === "yes");
  });
}
