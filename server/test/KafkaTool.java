// What the tests ask of Kafka by its own client, in one process for all of them: each line on standard input is a command
// with its words between tabs, and is answered by lines of which the last is `done`, or `failed` and why.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class KafkaTool {
  public static void main(String[] args) throws Exception {
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      String[] words = line.split("\t", -1);
      try {
        switch (words[0]) {
          case "format" -> format(words);
          case "create" -> create(words[1], words[2], Integer.parseInt(words[3]), Short.parseShort(words[4]), words[5]);
          case "read" -> read(words[1], words[2]);
          default -> throw new IllegalArgumentException(words[0]);
        }
        System.out.println("done");
      } catch (Exception error) {
        System.out.println("failed\t" + error.toString().replaceAll("\\s+", " "));
      }
    }
  }

  /** Makes the folder of a broker ready, with the users that SCRAM knows. */
  static void format(String[] words) {
    var args = new ArrayList<>(List.of("format", "-c", words[1], "-t", words[2]));
    for (int at = 3; at < words.length; at++) args.addAll(List.of("--add-scram", words[at]));
    var nowhere = new PrintStream(PrintStream.nullOutputStream());
    int code = kafka.tools.StorageTool.execute(args.toArray(new String[0]), nowhere);
    if (code != 0) throw new IllegalStateException("format ended with " + code);
  }

  static void create(String bootstrap, String topic, int partitions, short replicas, String settings) throws Exception {
    Map<String, String> configs = Arrays.stream(settings.split(","))
        .filter(each -> !each.isEmpty())
        .collect(Collectors.toMap(each -> each.split("=")[0], each -> each.split("=")[1]));
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
      admin.createTopics(List.of(new NewTopic(topic, partitions, replicas).configs(configs))).all().get();
    }
  }

  /** All that the topic holds, partition by partition. */
  static void read(String bootstrap, String topic) {
    var settings = Map.<String, Object>of("bootstrap.servers", bootstrap);
    try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      var partitions = consumer.partitionsFor(topic).stream()
          .map(each -> new TopicPartition(topic, each.partition())).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      var ends = consumer.endOffsets(partitions);
      while (partitions.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
        for (var record : consumer.poll(Duration.ofMillis(200))) {
          var headers = new ArrayList<String>();
          for (Header header : record.headers()) headers.add(encode(header.key().getBytes()) + ":" + encode(header.value()));
          System.out.println(String.join("\t", "record", "" + record.partition(), "" + record.offset(),
              encode(record.key()), encode(record.value()), String.join(" ", headers)));
        }
      }
    }
  }

  static String encode(byte[] bytes) {
    return Base64.getEncoder().encodeToString(bytes);
  }
}
