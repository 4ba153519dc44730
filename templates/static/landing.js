// Gives the part after "#" back to the address that the server made.
(function () {
  var link = document.getElementById("next");
  try {
    var key = "vestibule.fragment." + link.dataset.flow;
    var fragment = sessionStorage.getItem(key);
    sessionStorage.removeItem(key);
    if (fragment) {
      link.hash = fragment;
    }
  } catch (blocked) {
    // Without storage nothing was kept.
  }
  location.replace(link.href);
})();
