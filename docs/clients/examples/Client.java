// A client for `harness torture` in Java, started once for each case: it resumes until the interaction has ended.
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class Client {
  static final Pattern ID = Pattern.compile("\"event_id\": ?\"([^\"]*)\"");
  static final Pattern TEXT = Pattern.compile("\"delta\":\\{\"text\":\"((?:[^\"\\\\]|\\\\.)*)\"");
  static final Pattern CODE = Pattern.compile("\\\\(?:u(....)|/|[^u/])");

  final StringBuilder text = new StringBuilder();
  final Set<String> seen = new HashSet<>();
  String cursor;
  boolean completed; // a failed run ends with interaction.completed, too
  int kept; // how much of the text came up to the cursor

  /** Read one connection; return whether the interaction has ended. */
  boolean read(HttpClient client, String url) throws Exception {
    text.setLength(kept); // what came after the cursor comes again
    String after = cursor == null ? "" : "&last_event_id=" + URLEncoder.encode(cursor, StandardCharsets.UTF_8);
    HttpRequest request = HttpRequest.newBuilder(URI.create(url + after)).header("x-goog-api-key", "any").build();
    Iterator<String> lines = client.send(request, BodyHandlers.ofLines()).body().iterator();
    while (lines.hasNext()) {
      String line = lines.next();
      Matcher id = ID.matcher(line);
      if (!line.startsWith("data:") || line.contains("\"event_type\":\"error\"")) continue;
      boolean named = id.find();
      if (named && !seen.add(id.group(1))) continue;
      Matcher piece = TEXT.matcher(line);
      if (piece.find()) text.append(unescape(piece.group(1)));
      if (named) {
        cursor = id.group(1);
        kept = text.length();
      }
      if (line.contains("\"event_type\":\"interaction.completed\"")) {
        completed = line.contains("\"status\":\"completed\"");
        return true;
      }
    }
    return false;
  }

  /** Return the text of a JSON string: a small client needs no library for it, but it does need the escapes. */
  static String unescape(String json) {
    return CODE.matcher(json).replaceAll(found -> Matcher.quoteReplacement(
        found.group(1) != null ? "" + (char) Integer.parseInt(found.group(1), 16)
            : found.group().equals("\\/") ? "/" : found.group().translateEscapes()));
  }

  public static void main(String[] words) throws Exception {
    String base = System.getenv("INTERACTIONS_BASE_URL");
    String url = base + "/v1beta/interactions/" + System.getenv("INTERACTION_ID") + "?stream=true";
    HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    Client client = new Client();
    for (int tries = 0; tries < 6; tries++) {
      try {
        if (client.read(http, url)) {
          System.out.write(client.text.toString().getBytes(StandardCharsets.UTF_8));
          System.out.flush();
          System.exit(client.completed ? 0 : 1);
        }
      } catch (java.io.IOException | java.io.UncheckedIOException dropped) {
        Thread.sleep(20);
      }
    }
    System.exit(1);
  }
}
