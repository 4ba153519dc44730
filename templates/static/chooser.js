// Gives every choice the part of the address after "#", which no server sees, so that it gets to the next page.
(function () {
  document.querySelectorAll("a.choice").forEach(function (link) {
    link.hash = location.hash;
  });
})();
