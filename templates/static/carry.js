// The part of an address after "#" never reaches a server, so the browser keeps it until it is back.
(function () {
  var link = document.getElementById("next");
  try {
    if (location.hash.length > 1) {
      sessionStorage.setItem("vestibule.fragment." + link.dataset.flow, location.hash);
    }
  } catch (blocked) {
    // Without storage the place on the page is lost; the sign-in is not.
  }
  location.replace(link.href);
})();
